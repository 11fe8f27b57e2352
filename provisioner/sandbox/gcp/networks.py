"""compute.googleapis.com: networks and what belongs to them."""

from provisioner.sandbox.gcp.wire import Document, Refused, Request, add, found


class Networks:
    """compute.googleapis.com: networks and subnetworks; every operation is done at once."""

    def __init__(self) -> None:
        self.networks: dict[str, Document] = {}
        self.subnets: dict[str, Document] = {}

    def answer(self, request: Request) -> Document:
        held = self.subnets if "/subnetworks" in request.name else self.networks
        if request.method == "POST":
            return self._create(held, request)
        if request.method == "DELETE":
            return self._delete(held, request.name)
        return found(held, request.name)

    def _create(self, held: dict[str, Document], request: Request) -> Document:
        name = f"{request.name}/{request.body['name']}"
        network = request.body.get("network", "")
        if held is self.subnets and not any(network.endswith(one) for one in self.networks):
            raise Refused("INVALID_ARGUMENT", f"Invalid value for field 'resource.network': '{network}'.")
        link = f"https://www.googleapis.com/compute/v1/{name}"
        add(held, name, request.body | {"selfLink": link, "id": str(abs(hash(name)))})
        return done(link)

    def _delete(self, held: dict[str, Document], name: str) -> Document:
        found(held, name)
        users = [one for one, subnet in self.subnets.items() if subnet.get("network", "").endswith(name)]
        if held is self.networks and users:
            raise Refused("FAILED_PRECONDITION", f"The network resource '{name}' is already being used by '{users[0]}'")
        del held[name]
        return done(name)


def done(target: str) -> Document:
    return {"kind": "compute#operation", "status": "DONE", "targetLink": target, "name": "operation"}
