"""compute.googleapis.com: networks and what belongs to them."""

import ipaddress

from provisioner.sandbox.gcp.wire import Document, Refused, Request, add, found


class Networks:
    """Networks, subnetworks and firewall rules; every operation is done at once."""

    def __init__(self) -> None:
        self.networks: dict[str, Document] = {}
        self.subnets: dict[str, Document] = {}
        self.firewalls: dict[str, Document] = {}

    def answer(self, request: Request) -> Document:
        held = self._held(request.name)
        if request.method == "POST":
            return self._create(held, request)
        if request.method == "DELETE":
            return self._delete(held, request.name)
        if request.method == "PATCH":
            return self._update(held, request)
        if request.name.rsplit("/", 1)[-1] in ("networks", "subnetworks", "firewalls"):
            return {"items": [one for name, one in sorted(held.items()) if name.startswith(f"{request.name}/")]}
        return found(held, request.name)

    def _held(self, name: str) -> dict[str, Document]:
        kinds = {"networks": self.networks, "subnetworks": self.subnets, "firewalls": self.firewalls}
        return next((held for kind, held in kinds.items() if kind in name.split("/")), {})

    def _create(self, held: dict[str, Document], request: Request) -> Document:
        name = f"{request.name}/{request.body['name']}"
        self._refuse(held, request.body)
        link = f"https://www.googleapis.com/compute/v1/{name}"
        add(held, name, request.body | {"selfLink": link, "id": str(abs(hash(name)))})
        return done(link)

    def _update(self, held: dict[str, Document], request: Request) -> Document:
        before = found(held, request.name)
        self._refuse(held, changed := type(request.body)(before | request.body))
        held[request.name] = changed
        return done(request.name)

    def _refuse(self, held: dict[str, Document], wanted: Document) -> None:
        if held is self.networks:
            return
        network = wanted["network"]
        if not any(network.endswith(one) for one in self.networks):
            raise invalid("network", network)
        if held is self.firewalls:
            refuse_firewall(wanted)

    def _delete(self, held: dict[str, Document], name: str) -> Document:
        found(held, name)
        around = {**self.subnets, **self.firewalls}
        users = [one for one, user in around.items() if user.get("network", "").endswith(name)]
        if held is self.networks and users:
            raise Refused("FAILED_PRECONDITION", f"The network resource '{name}' is already being used by '{users[0]}'")
        del held[name]
        return done(name)


def refuse_firewall(rule: Document) -> None:
    """It says what it lets through, and from where."""
    if not rule.get("allowed") and not rule.get("denied"):
        raise Refused("INVALID_ARGUMENT", "Required field 'allowed' is missing.")
    for one in rule.get("sourceRanges") or ():
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise invalid("sourceRanges", one) from None


def invalid(field: str, value: object) -> Refused:
    return Refused("INVALID_ARGUMENT", f"Invalid value for field 'resource.{field}': '{value}'.")


def done(target: str) -> Document:
    return {"kind": "compute#operation", "status": "DONE", "targetLink": target, "name": "operation"}
