"""How a network of machines reaches the store: route tables, their subnets, gateway endpoints."""

from typing import Any

from provisioner.sandbox.pulumi.ec2 import ACCOUNT, made, retagged, specification
from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tags_of, untagged, without_error
from provisioner.sandbox.pulumi.wire import given


def create_association(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    wanted = {"RouteTableId": inputs["routeTableId"], "SubnetId": inputs["subnetId"]}
    return clients("ec2").associate_route_table(**wanted)["AssociationId"], {}


def read_association(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    bond = bond_of(clients, identity)
    return {"id": bond["RouteTableAssociationId"]} if bond else None


def bond_of(clients: Clients, identity: str) -> dict[str, Any] | None:
    """By its id, or by `SUBNET/TABLE`, as the real provider imports it."""
    subnet, _, table = identity.partition("/")
    key, value = ("subnet-id", subnet) if table else ("route-table-association-id", identity)
    wanted = [{"Name": f"association.{key}", "Values": [value]}]
    found = clients("ec2").describe_route_tables(Filters=wanted)["RouteTables"]
    bonds = [bond for one in found for bond in one["Associations"]]
    return next((one for one in bonds if value in (one.get("SubnetId"), one["RouteTableAssociationId"])), None)


def delete_association(clients: Clients, identity: str, _: Inputs) -> None:
    without_error(lambda: clients("ec2").disassociate_route_table(AssociationId=identity))


def create_endpoint(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("ec2").create_vpc_endpoint(**given({
        "VpcId": inputs["vpcId"], "ServiceName": inputs["serviceName"],
        "VpcEndpointType": inputs.get("vpcEndpointType", "Gateway"), "RouteTableIds": inputs.get("routeTableIds"),
        "TagSpecifications": specification("vpc-endpoint", inputs),
    }))["VpcEndpoint"]  # fmt: skip
    return found["VpcEndpointId"], endpoint_outputs({"Tags": tags_of(inputs)} | found)


def endpoint_outputs(found: dict[str, Any]) -> Inputs:
    tags = untagged(found.get("Tags"))
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc-endpoint/{found['VpcEndpointId']}"
    return {"arn": arn, "state": "available", "tags": tags, "tagsAll": tags}


def read_endpoint(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("ec2").describe_vpc_endpoints(VpcEndpointIds=[identity])["VpcEndpoints"])
    living = [one for one in found or () if one["State"] != "deleted"]
    return endpoint_outputs(living[0]) if living else None


def delete_endpoint(clients: Clients, identity: str, _: Inputs) -> None:
    without_error(lambda: clients("ec2").delete_vpc_endpoints(VpcEndpointIds=[identity]))


def imported_association(clients: Clients, id: str) -> Inputs | None:
    bond = bond_of(clients, id)
    return {"subnetId": bond["SubnetId"], "routeTableId": bond["RouteTableId"]} if bond else None


def imported_endpoint(clients: Clients, identity: str) -> Inputs | None:
    found = clients("ec2").describe_vpc_endpoints(VpcEndpointIds=[identity])["VpcEndpoints"][0]
    return {
        "vpcId": found["VpcId"], "serviceName": found["ServiceName"], "vpcEndpointType": found["VpcEndpointType"],
        "routeTableIds": found["RouteTableIds"], "tags": untagged(found.get("Tags")),
    }  # fmt: skip


def create_egress(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    marks = specification("egress-only-internet-gateway", inputs)
    found = clients("ec2").create_egress_only_internet_gateway(
        **given({"VpcId": inputs["vpcId"], "TagSpecifications": marks})
    )["EgressOnlyInternetGateway"]
    return found["EgressOnlyInternetGatewayId"], {"tags": inputs.get("tags") or {}, "tagsAll": inputs.get("tags") or {}}


def egress_of(clients: Clients, identity: str) -> dict[str, Any] | None:
    """Who is not there is not listed, which is no error of EC2's."""
    listed = clients("ec2").describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[identity])
    return next(iter(listed["EgressOnlyInternetGateways"]), None)


def read_egress(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    found = egress_of(clients, identity)
    return {"tags": (tags := untagged(found.get("Tags"))), "tagsAll": tags} if found else None


def imported_egress(clients: Clients, identity: str) -> Inputs | None:
    found = egress_of(clients, identity)
    return {"vpcId": found["Attachments"][0]["VpcId"], "tags": untagged(found.get("Tags"))} if found else None


def delete_egress(clients: Clients, identity: str, _: Inputs) -> None:
    remove = clients("ec2").delete_egress_only_internet_gateway
    without_error(lambda: remove(EgressOnlyInternetGatewayId=identity))


LEADS = {"egressOnlyGatewayId": "EgressOnlyInternetGatewayId", "gatewayId": "GatewayId", "natGatewayId": "NatGatewayId"}
DESTINATIONS = {"destinationCidrBlock": "DestinationCidrBlock", "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock"}


def create_route(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    """Its id is the table's and the destination's, in the real provider's spelling for imports."""
    told = {theirs: inputs[ours] for ours, theirs in (LEADS | DESTINATIONS).items() if inputs.get(ours)}
    clients("ec2").create_route(RouteTableId=inputs["routeTableId"], **told)
    return f"{inputs['routeTableId']}_{next(inputs[one] for one in DESTINATIONS if inputs.get(one))}", {}


def imported_route(clients: Clients, id: str) -> Inputs | None:
    table, _, destination = id.partition("_")
    found = gone(lambda: clients("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"])
    for route in found[0]["Routes"] if found else ():
        if destination in (route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")):
            told = (LEADS | DESTINATIONS).items()
            return {"routeTableId": table} | {ours: route[theirs] for ours, theirs in told if route.get(theirs)}
    return None


def read_route(clients: Clients, id: str, _: Inputs) -> Inputs | None:
    return {} if imported_route(clients, id) else None


def delete_route(clients: Clients, id: str, state: Inputs) -> None:
    told = {theirs: state[ours] for ours, theirs in DESTINATIONS.items() if state.get(ours)}
    without_error(lambda: clients("ec2").delete_route(RouteTableId=id.partition("_")[0], **told))


KINDS: dict[str, Kind] = {
    "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway": Kind(
        create=create_egress, read=read_egress, delete=delete_egress, update=retagged, required=("vpcId",),
        computed=(), imported=imported_egress,
    ),
    "aws:ec2/route:Route": Kind(
        create=create_route, read=read_route, delete=delete_route,
        required=("routeTableId",), computed=(), imported=imported_route,
    ),
    "aws:ec2/routeTable:RouteTable": made(
        "route-table", "route_table", lambda i: {"VpcId": i["vpcId"]}, required=("vpcId",),
        shows=lambda found: {"vpcId": found["VpcId"]},
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(
        create=create_association, read=read_association, delete=delete_association, computed=(),
        required=("routeTableId",), imported=imported_association,
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Kind(
        create=create_endpoint, read=read_endpoint, delete=delete_endpoint, update=retagged,
        required=("vpcId", "serviceName"), computed=("arn", "state"), imported=imported_endpoint,
    ),
}  # fmt: skip
