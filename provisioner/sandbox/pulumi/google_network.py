"""Google's networks, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

RULE = ("description", "direction", "sourceRanges", "targetServiceAccounts", "priority")
"""What a firewall rule has under one name on both sides."""


def create_network(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    compute = clients("compute")
    parent = f"projects/{compute.project}/global/networks"
    compute.call("POST", parent, given({
        "name": inputs["name"], "autoCreateSubnetworks": inputs.get("autoCreateSubnetworks", True),
        "description": inputs.get("description"),
    }))  # fmt: skip
    return (name := f"{parent}/{inputs['name']}"), read_link(clients, name, inputs) or {}


def create_subnet(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    compute = clients("compute")
    parent = f"projects/{compute.project}/regions/{inputs.get('region') or compute.region()}/subnetworks"
    compute.call("POST", parent, given({
        "name": inputs["name"], "network": inputs["network"], "ipCidrRange": inputs.get("ipCidrRange"),
        "privateIpGoogleAccess": inputs.get("privateIpGoogleAccess"),
    }))  # fmt: skip
    return (name := f"{parent}/{inputs['name']}"), read_link(clients, name, inputs) or {}


def create_firewall(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    compute = clients("compute")
    parent = f"projects/{compute.project}/global/firewalls"
    compute.call("POST", parent, {"name": inputs["name"], "network": inputs["network"]} | rule_of(inputs))
    return (name := f"{parent}/{inputs['name']}"), read_firewall(clients, name, inputs) or {}


def rule_of(inputs: Inputs) -> Inputs:
    """A protocol is `IPProtocol` for Google."""
    allowed = [given({"IPProtocol": one["protocol"], "ports": one.get("ports")}) for one in inputs.get("allows", [])]
    return given({name: inputs.get(name) for name in RULE} | {"allowed": allowed})


def read_firewall(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("compute").get(name)
    if found is None:
        return None
    allows = [given({"protocol": one["IPProtocol"], "ports": one.get("ports")}) for one in found.get("allowed", [])]
    return {"selfLink": found["selfLink"], "allows": allows, **{one: found[one] for one in RULE if one in found}}


def update_firewall(clients: Clients, name: str, _: Inputs, new: Inputs) -> None:
    clients("compute").call("PATCH", name, rule_of(new))


def imported_network(clients: Clients, name: str) -> Inputs | None:
    found = clients("compute").get(name)
    return (
        {one: found[one] for one in ("name", "autoCreateSubnetworks", "description") if one in found} if found else None
    )


def imported_subnet(clients: Clients, name: str) -> Inputs | None:
    found = clients("compute").get(name)
    told = ("name", "network", "ipCidrRange", "privateIpGoogleAccess")
    return {one: found[one] for one in told if one in found} | {"region": name.split("/")[3]} if found else None


def imported_firewall(clients: Clients, name: str) -> Inputs | None:
    found = clients("compute").get(name)
    rule = read_firewall(clients, name, {})
    if found is None or rule is None:
        return None
    return {"name": found["name"], "network": found["network"]} | {k: v for k, v in rule.items() if k != "selfLink"}


def networks(clients: Clients, asked: Inputs) -> Inputs:
    project = asked.get("project") or clients("compute").project
    found = clients("compute").call("GET", f"projects/{project}/global/networks")["items"]
    return {"id": project, "project": project, "selfLink": "", "networks": [one["name"] for one in found]}


def subnets(clients: Clients, asked: Inputs) -> Inputs:
    compute = clients("compute")
    found = compute.call("GET", f"projects/{compute.project}/regions/{asked['region']}/subnetworks")["items"]
    return {"id": asked["region"], "region": asked["region"], "subnetworks": [{"name": one["name"]} for one in found]}


def read_link(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("compute").get(name)
    return {"selfLink": found["selfLink"]} if found else None


def delete_link(clients: Clients, name: str, _: Inputs) -> None:
    clients("compute").delete(name)


KINDS: dict[str, Kind] = {
    "gcp:compute/network:Network": Kind(
        create=create_network, read=read_link, delete=delete_link, autoname="name", computed=("selfLink",),
        imported=imported_network,
    ),
    "gcp:compute/subnetwork:Subnetwork": Kind(
        create=create_subnet, read=read_link, delete=delete_link, autoname="name", computed=("selfLink",),
        required=("network",), imported=imported_subnet,
    ),
    "gcp:compute/firewall:Firewall": Kind(
        create=create_firewall, read=read_firewall, delete=delete_link, update=update_firewall, autoname="name",
        computed=("selfLink",), required=("network",), replaces=("name", "network", "direction"),
        drifts=("allows", "sourceRanges", "description"), imported=imported_firewall,
    ),
}  # fmt: skip
FUNCTIONS = {
    "gcp:compute/getNetworks:getNetworks": networks,
    "gcp:compute/getSubnetworks:getSubnetworks": subnets,
}
