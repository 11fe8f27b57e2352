"""The data sources that the stacks ask."""

from collections.abc import Callable
from typing import Any

from provisioner.sandbox.pulumi.kinds import Clients, Inputs


def parameter(clients: Clients, asked: Inputs) -> Inputs:
    found = clients("ssm").get_parameter(Name=asked["name"])["Parameter"]
    return {
        "id": found["Name"], "name": found["Name"], "value": found["Value"], "insecureValue": found["Value"],
        "arn": found.get("ARN", ""), "type": found["Type"], "version": found["Version"],
    }  # fmt: skip


def offerings(clients: Clients, asked: Inputs) -> Inputs:
    filters = [{"Name": one["name"], "Values": one["values"]} for one in asked.get("filters") or []]
    pages = (
        clients("ec2")
        .get_paginator("describe_instance_type_offerings")
        .paginate(LocationType=asked.get("locationType", "region"), Filters=filters)
    )
    found = [offer for page in pages for offer in page["InstanceTypeOfferings"]]
    return {
        "id": "offerings", "instanceTypes": [one["InstanceType"] for one in found],
        "locations": [one["Location"] for one in found], "locationTypes": [one["LocationType"] for one in found],
    }  # fmt: skip


def identity(clients: Clients, _: Inputs) -> Inputs:
    found = clients("sts").get_caller_identity()
    return {"id": found["Account"], "accountId": found["Account"], "arn": found["Arn"], "userId": found["UserId"]}


def region(clients: Clients, _: Inputs) -> Inputs:
    name = clients("ec2").meta.region_name
    return {"id": name, "name": name, "region": name, "endpoint": f"ec2.{name}.amazonaws.com", "description": name}


FUNCTIONS: dict[str, Callable[[Clients, Inputs], dict[str, Any]]] = {
    "aws:ssm/getParameter:getParameter": parameter,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": offerings,
    "aws:index/getCallerIdentity:getCallerIdentity": identity,
    "aws:index/getRegion:getRegion": region,
}
