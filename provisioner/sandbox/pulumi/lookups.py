"""The data sources by which a stack finds what is there already: lists by label, and one thing by its id."""

from collections.abc import Callable
from typing import Any

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, gone, untagged


class Missing(OSError):
    """The real provider's words for a single thing that is not there."""


def filters(asked: Inputs) -> list[dict[str, Any]]:
    marks = [{"Name": f"tag:{key}", "Values": [value]} for key, value in (asked.get("tags") or {}).items()]
    within = [{"Name": "vpc-id", "Values": [asked["vpcId"]]}] if asked.get("vpcId") else []
    return [*marks, *within, *({"Name": one["name"], "Values": one["values"]} for one in asked.get("filters") or [])]


def listed(call: str, rows: str, identity: str) -> Callable[[Clients, Inputs], Inputs]:
    """A plural data source: an empty list where there is nothing."""

    def ask(clients: Clients, asked: Inputs) -> Inputs:
        found = getattr(clients("ec2"), call)(Filters=filters(asked))[rows]
        return {"id": call, "ids": [one[identity] for one in found]}

    return ask


def zones(clients: Clients, asked: Inputs) -> Inputs:
    wanted = [*filters(asked), {"Name": "state", "Values": [asked.get("state", "available")]}]
    found = clients("ec2").describe_availability_zones(Filters=wanted)["AvailabilityZones"]
    names = [one["ZoneName"] for one in found]
    return {"id": "zones", "names": names, "zoneIds": [one["ZoneId"] for one in found], "groupNames": []}


def vpc(clients: Clients, asked: Inputs) -> Inputs:
    (found,) = clients("ec2").describe_vpcs(VpcIds=[asked["id"]])["Vpcs"]
    return {"id": found["VpcId"], "cidrBlock": found["CidrBlock"], "tags": untagged(found.get("Tags"))}


def subnet(clients: Clients, asked: Inputs) -> Inputs:
    (found,) = clients("ec2").describe_subnets(SubnetIds=[asked["id"]])["Subnets"]
    return {"id": found["SubnetId"], "availabilityZone": found["AvailabilityZone"], "vpcId": found["VpcId"]}


def table(clients: Clients, asked: Inputs) -> Inputs:
    (found,) = clients("ec2").describe_route_tables(RouteTableIds=[asked["routeTableId"]])["RouteTables"]
    routes = [
        {"egressOnlyGatewayId": one.get("EgressOnlyInternetGatewayId", ""), "gatewayId": one.get("GatewayId", ""),
         "cidrBlock": one.get("DestinationCidrBlock", ""), "ipv6CidrBlock": one.get("DestinationIpv6CidrBlock", "")}
        for one in found["Routes"]
    ]  # fmt: skip
    served = [{"subnetId": one.get("SubnetId", ""), "main": one.get("Main", False)} for one in found["Associations"]]
    return {"id": found["RouteTableId"], "routes": routes, "associations": served, "tags": untagged(found.get("Tags"))}


def endpoint(clients: Clients, asked: Inputs) -> Inputs:
    wanted = [*filters(asked), {"Name": "service-name", "Values": [asked["serviceName"]]}]
    found = clients("ec2").describe_vpc_endpoints(Filters=wanted)["VpcEndpoints"]
    living = [one for one in found if one["State"] != "deleted"]
    if len(living) != 1:
        raise Missing("no matching EC2 VPC Endpoint found")
    return {"id": living[0]["VpcEndpointId"], "vpcId": living[0]["VpcId"], "serviceName": living[0]["ServiceName"]}


def policy(clients: Clients, asked: Inputs) -> Inputs:
    found = gone(lambda: clients("iam").get_policy(PolicyArn=asked["arn"])["Policy"])
    if not found:
        raise Missing("no matching IAM Policy found")
    return {"id": found["Arn"], "arn": found["Arn"], "name": found["PolicyName"], "tags": untagged(found.get("Tags"))}


def function(clients: Clients, asked: Inputs) -> Inputs:
    found = gone(lambda: clients("lambda").get_function(FunctionName=asked["functionName"]))
    if not found:
        raise Missing("reading Lambda Function: ResourceNotFoundException: Function not found")
    return {"id": asked["functionName"], "arn": found["Configuration"]["FunctionArn"], "tags": found.get("Tags") or {}}


def buckets(clients: Clients, asked: Inputs) -> Inputs:
    found = [one["Name"] for one in clients("s3").list_buckets()["Buckets"]]
    chosen = [name for name in found if name.startswith(asked.get("prefix", ""))]
    return {"id": "buckets", "buckets": [
        {"name": name, "bucketArn": f"arn:aws:s3:::{name}", "bucketRegion": region_of(clients, name)} for name in chosen
    ]}  # fmt: skip


def region_of(clients: Clients, bucket: str) -> str:
    """S3 calls its first region by no name."""
    return clients("s3").get_bucket_location(Bucket=bucket)["LocationConstraint"] or "us-east-1"


FUNCTIONS: dict[str, Callable[[Clients, Inputs], dict[str, Any]]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": zones,
    "aws:ec2/getVpcs:getVpcs": listed("describe_vpcs", "Vpcs", "VpcId"),
    "aws:ec2/getVpc:getVpc": vpc,
    "aws:ec2/getSubnets:getSubnets": listed("describe_subnets", "Subnets", "SubnetId"),
    "aws:ec2/getSubnet:getSubnet": subnet,
    "aws:ec2/getRouteTables:getRouteTables": listed("describe_route_tables", "RouteTables", "RouteTableId"),
    "aws:ec2/getRouteTable:getRouteTable": table,
    "aws:ec2/getSecurityGroups:getSecurityGroups": listed("describe_security_groups", "SecurityGroups", "GroupId"),
    "aws:ec2/getVpcEndpoint:getVpcEndpoint": endpoint,
    "aws:iam/getPolicy:getPolicy": policy,
    "aws:lambda/getFunction:getFunction": function,
    "aws:s3/getBuckets:getBuckets": buckets,
}
