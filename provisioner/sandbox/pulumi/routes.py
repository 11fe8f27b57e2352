"""How a network of machines reaches the store: route tables, their subnets, gateway endpoints."""

from typing import Any

from provisioner.sandbox.pulumi.ec2 import ACCOUNT, made, retagged, specification
from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tags_of, untagged, without_error
from provisioner.sandbox.pulumi.wire import given


def create_association(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    wanted = {"RouteTableId": inputs["routeTableId"], "SubnetId": inputs["subnetId"]}
    return clients("ec2").associate_route_table(**wanted)["AssociationId"], {}


def read_association(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    wanted = [{"Name": "association.route-table-association-id", "Values": [identity]}]
    return {} if clients("ec2").describe_route_tables(Filters=wanted)["RouteTables"] else None


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


KINDS: dict[str, Kind] = {
    "aws:ec2/routeTable:RouteTable": made(
        "route-table", "route_table", lambda i: {"VpcId": i["vpcId"]}, required=("vpcId",)
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(
        create=create_association, read=read_association, delete=delete_association, computed=(),
        required=("routeTableId",),
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Kind(
        create=create_endpoint, read=read_endpoint, delete=delete_endpoint, update=retagged,
        required=("vpcId", "serviceName"), computed=("arn", "state"),
    ),
}  # fmt: skip
