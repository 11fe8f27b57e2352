"""Google's networks, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given


def create_network(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    compute = clients("compute")
    parent = f"projects/{compute.project}/global/networks"
    compute.call("POST", parent, given({
        "name": inputs["name"], "autoCreateSubnetworks": inputs.get("autoCreateSubnetworks", True),
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


def read_link(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("compute").get(name)
    return {"selfLink": found["selfLink"]} if found else None


def delete_link(clients: Clients, name: str, _: Inputs) -> None:
    clients("compute").delete(name)


KINDS: dict[str, Kind] = {
    "gcp:compute/network:Network": Kind(
        create=create_network, read=read_link, delete=delete_link, autoname="name", computed=("selfLink",)
    ),
    "gcp:compute/subnetwork:Subnetwork": Kind(
        create=create_subnet, read=read_link, delete=delete_link, autoname="name", computed=("selfLink",),
        required=("network",),
    ),
}  # fmt: skip
