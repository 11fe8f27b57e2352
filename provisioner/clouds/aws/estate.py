"""Machines as they stand in an account: how each is held, and who would replace it if it went."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provisioner.catalog import labels
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.instances import parsed
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.estate import Holding, OwnerKind, Tenure

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

PAGE: Any = {"PageSize": 1000}
"""The most that DescribeInstances gives at once."""
THERE = ("pending", "running", "stopping", "stopped")
OWNERS = {
    "aws:autoscaling:groupName": OwnerKind.GROUP, "eks:nodegroup-name": OwnerKind.POOL,
    "karpenter.sh/nodepool": OwnerKind.POOL, labels.JOB: OwnerKind.JOB, "aws:ec2spot:fleet-request-id": OwnerKind.FLEET,
    "aws:ec2:fleet-id": OwnerKind.FLEET, labels.STACK: OwnerKind.STACK,
}  # fmt: skip
"""By the label that tells, the strongest claim first. A job's own fleet is instant: it replaces nothing."""


def holdings(sessions: Sessions, region: str, *, everybodys: bool, only: Sequence[str] = ()) -> Iterator[Holding]:
    """Every machine of ours that is there, or everybody's, page by page; or `only` those that are still there."""
    ec2 = sessions.ec2(region)
    filters: list[Any] = [
        *([] if everybodys else tags.matching({})), {"Name": "instance-state-name", "Values": list(THERE)},
        *([{"Name": "instance-id", "Values": list(only)}] if only else []),
    ]  # fmt: skip
    persistent: set[str] | None = None
    for raw in described(ec2, filters):
        if persistent is None and raw.get("SpotInstanceRequestId"):
            persistent = persistent_requests(ec2)
        yield holding(raw, region, persistent or set())


def described(ec2: "EC2Client", filters: list[Any]) -> Iterator[Mapping[str, Any]]:
    """Only one page is held in memory."""
    with translated("ec2:DescribeInstances"):
        for page in ec2.get_paginator("describe_instances").paginate(Filters=filters, PaginationConfig=PAGE):
            yield from (raw for held in page["Reservations"] for raw in held.get("Instances", []))


def holding(raw: Mapping[str, Any], region: str, persistent: set[str]) -> Holding:
    instance = parsed(raw, region)
    request, volumes = raw.get("SpotInstanceRequestId", ""), raw.get("BlockDeviceMappings", [])
    owner = next(((kind, instance.labels[key]) for key, kind in OWNERS.items() if key in instance.labels), None)
    return Holding(
        instance=instance, tenure=tenure(raw, persistent), owner=owner[0] if owner else OwnerKind.NOBODY,
        owner_name=owner[1] if owner else "", instance_store_root=raw.get("RootDeviceType") == "instance-store",
        request=request if request in persistent else "", public_address=bool(raw.get("PublicIpAddress")),
        token_only_metadata=raw.get("MetadataOptions", {}).get("HttpTokens") == "required",
        keeps_volumes=any(not one.get("Ebs", {}).get("DeleteOnTermination", True) for one in volumes),
    )  # fmt: skip


def tenure(raw: Mapping[str, Any], persistent: set[str]) -> Tenure:
    if raw.get("InstanceLifecycle") == "capacity-block":
        return Tenure.CAPACITY_BLOCK
    if raw.get("CapacityReservationId"):
        return Tenure.RESERVED
    if raw.get("InstanceLifecycle") == "spot":
        return Tenure.PERSISTENT_SPOT if raw.get("SpotInstanceRequestId") in persistent else Tenure.SPOT
    return Tenure.ON_DEMAND


def persistent_requests(ec2: "EC2Client") -> set[str]:
    """Those requests that would launch their machine again."""
    filters = [{"Name": "type", "Values": ["persistent"]}, {"Name": "state", "Values": ["open", "active"]}]
    with translated("ec2:DescribeSpotInstanceRequests"):
        pages = ec2.get_paginator("describe_spot_instance_requests").paginate(Filters=filters)  # type: ignore[arg-type]
        return {one.get("SpotInstanceRequestId", "") for page in pages for one in page["SpotInstanceRequests"]}
