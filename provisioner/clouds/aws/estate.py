"""Machines as they stand in an account: how each is held, and who would replace it if it went."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from provisioner.catalog import labels
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.instances import parsed
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.estate import Holding, OwnerKind, Tenure

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

THERE = ("pending", "running", "stopping", "stopped")
OWNERS = {
    "aws:autoscaling:groupName": OwnerKind.GROUP, "eks:nodegroup-name": OwnerKind.POOL,
    "karpenter.sh/nodepool": OwnerKind.POOL, labels.JOB: OwnerKind.JOB, "aws:ec2spot:fleet-request-id": OwnerKind.FLEET,
    "aws:ec2:fleet-id": OwnerKind.FLEET, labels.STACK: OwnerKind.STACK,
}  # fmt: skip
"""By the label that tells, the strongest claim first. A job's own fleet is instant: it replaces nothing."""


def holdings(sessions: Sessions, region: str, *, everybodys: bool) -> Iterator[Holding]:
    """Every machine of ours that is there, or everybody's, page by page."""
    ec2 = sessions.ec2(region)
    filters = [*([] if everybodys else tags.matching({})), {"Name": "instance-state-name", "Values": list(THERE)}]
    with translated("ec2:DescribeInstances"):
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)  # type: ignore[arg-type]
        found = [raw for page in pages for held in page["Reservations"] for raw in held.get("Instances", [])]
    persistent = persistent_requests(ec2, [raw for raw in found if raw.get("SpotInstanceRequestId")])
    for raw in found:
        yield holding(raw, region, persistent)


def holding(raw: Mapping[str, Any], region: str, persistent: set[str]) -> Holding:
    instance = parsed(raw, region)
    owner = next(((kind, instance.labels[key]) for key, kind in OWNERS.items() if key in instance.labels), None)
    return Holding(
        instance=instance, tenure=tenure(raw, persistent), owner=owner[0] if owner else OwnerKind.NOBODY,
        owner_name=owner[1] if owner else "", instance_store_root=raw.get("RootDeviceType") == "instance-store",
    )  # fmt: skip


def tenure(raw: Mapping[str, Any], persistent: set[str]) -> Tenure:
    if raw.get("InstanceLifecycle") == "capacity-block":
        return Tenure.CAPACITY_BLOCK
    if raw.get("CapacityReservationId"):
        return Tenure.RESERVED
    if raw.get("InstanceLifecycle") == "spot":
        return Tenure.PERSISTENT_SPOT if raw.get("SpotInstanceRequestId") in persistent else Tenure.SPOT
    return Tenure.ON_DEMAND


def persistent_requests(ec2: "EC2Client", spot: list[Mapping[str, Any]]) -> set[str]:
    """Those requests that would launch the machine again."""
    if not spot:
        return set()
    filters = [{"Name": "type", "Values": ["persistent"]}, {"Name": "state", "Values": ["open", "active"]}]
    with translated("ec2:DescribeSpotInstanceRequests"):
        pages = ec2.get_paginator("describe_spot_instance_requests").paginate(Filters=filters)  # type: ignore[arg-type]
        return {one.get("SpotInstanceRequestId", "") for page in pages for one in page["SpotInstanceRequests"]}
