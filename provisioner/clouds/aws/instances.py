"""Machines: what EC2 says of them, as the domain says it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from provisioner.clouds.aws import tags
from provisioner.clouds.aws.batches import refusals
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import Refusals
from provisioner.domain.instances import EndCause, Instance, InstanceState
from provisioner.domain.offerings import CapacityType
from provisioner.errors import InstanceNotFound

STATES = {
    "pending": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "shutting-down": InstanceState.STOPPING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
    "terminated": InstanceState.TERMINATED,
}
CAUSES = {
    "Server.SpotInstanceTermination": EndCause.INTERRUPTED,
    "Server.SpotInstanceShutdown": EndCause.INTERRUPTED,
    "Client.UserInitiatedShutdown": EndCause.TERMINATED,
    "Client.InstanceInitiatedShutdown": EndCause.SHUT_DOWN,
    "Server.InsufficientInstanceCapacity": EndCause.FAILED,
    "Server.InternalError": EndCause.FAILED,
    "Client.InternalError": EndCause.FAILED,
    "Client.InvalidSnapshot.NotFound": EndCause.FAILED,
    "Client.VolumeLimitExceeded": EndCause.FAILED,
}
"""By StateReason.Code."""
NO_LATEST = {"UnsupportedOperation", "IncorrectInstanceState", "IncorrectState", "InvalidParameterCombination"}
ENDED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")


class Instances:
    """Finds and ends machines."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def get(self, instance_id: str, region: str) -> Instance:
        with translated("ec2:DescribeInstances"):
            answer = self._sessions.ec2(region).describe_instances(InstanceIds=[instance_id])
        found = [raw for reservation in answer["Reservations"] for raw in reservation.get("Instances", [])]
        if not found:
            raise InstanceNotFound(f"there is no instance {instance_id} in {region}.")
        return next(iter(self._parsed(found, region)))

    def owned(self, labels: Mapping[str, str], region: str) -> list[Instance]:
        """By label, every page."""
        with translated("ec2:DescribeInstances"):
            pages = (
                self._sessions.ec2(region).get_paginator("describe_instances").paginate(Filters=tags.matching(labels))
            )
            found = [raw for page in pages for held in page["Reservations"] for raw in held.get("Instances", [])]
        return list(self._parsed(found, region))

    def _parsed(self, found: Iterable[Any], region: str) -> Iterator[Instance]:
        raws = list(found)
        unexplained = [raw for raw in raws if ended(raw) and not ENDED_AT.search(raw.get("StateTransitionReason", ""))]
        times = self._request_times(
            [raw["SpotInstanceRequestId"] for raw in unexplained if raw.get("SpotInstanceRequestId")], region
        )
        return (parsed(raw, region, times.get(raw.get("SpotInstanceRequestId", ""))) for raw in raws)

    def _request_times(self, requests: list[str], region: str) -> dict[str, datetime]:
        """When each spot request last changed: for an interrupted machine, that is its end."""
        if not requests:
            return {}
        with translated("ec2:DescribeSpotInstanceRequests"):
            filters: list[Any] = [{"Name": "spot-instance-request-id", "Values": requests}]
            pages = (
                self._sessions.ec2(region).get_paginator("describe_spot_instance_requests").paginate(Filters=filters)
            )
            held = [request for page in pages for request in page["SpotInstanceRequests"]]
        return {
            request["SpotInstanceRequestId"]: request["Status"]["UpdateTime"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
            for request in held
            if "UpdateTime" in request.get("Status", {})
        }

    def terminate(self, instance_id: str, region: str) -> None:
        try:
            with translated("ec2:TerminateInstances"):
                self._sessions.ec2(region).terminate_instances(InstanceIds=[instance_id])
        except InstanceNotFound:
            return

    def end(self, region: str, ids: Sequence[str]) -> Refusals:
        ec2 = self._sessions.ec2(region)
        return refusals("ec2:TerminateInstances", ids, lambda part: ec2.terminate_instances(InstanceIds=part))

    def stop(self, region: str, ids: Sequence[str]) -> Refusals:
        ec2 = self._sessions.ec2(region)
        return refusals("ec2:StopInstances", ids, lambda part: ec2.stop_instances(InstanceIds=part))

    def relabel(self, region: str, ids: Sequence[str], key: str, value: str | None) -> Refusals:
        ec2 = self._sessions.ec2(region)
        if value is None:
            return refusals("ec2:DeleteTags", ids, lambda part: ec2.delete_tags(Resources=part, Tags=[{"Key": key}]))
        tag: Any = [{"Key": key, "Value": value}]
        return refusals("ec2:CreateTags", ids, lambda part: ec2.create_tags(Resources=part, Tags=tag))

    def cancel_requests(self, region: str, ids: Sequence[str]) -> Refusals:
        ec2 = self._sessions.ec2(region)
        return refusals(
            "ec2:CancelSpotInstanceRequests", ids,
            lambda part: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=part),
        )  # fmt: skip

    def console(self, instance_id: str, region: str) -> str:
        """As it is now on Nitro; elsewhere, and once the machine has gone, as EC2 noted it last."""
        try:
            return self._printed(instance_id, region, latest=True) or self._printed(instance_id, region, latest=False)
        except InstanceNotFound:
            return ""

    def is_healthy(self, instance_id: str, region: str) -> bool | None:
        """EC2's two status checks, of the host and of the machine's answers to ARP; None while it has no result."""
        with translated("ec2:DescribeInstanceStatus"):
            answer = self._sessions.ec2(region).describe_instance_status(InstanceIds=[instance_id])
        found = [verdict(row) for row in answer["InstanceStatuses"]]
        return found[0] if found else None

    def _printed(self, instance_id: str, region: str, *, latest: bool) -> str:
        ec2 = self._sessions.ec2(region)
        with translated("ec2:GetConsoleOutput"):
            try:
                return ec2.get_console_output(InstanceId=instance_id, Latest=latest).get("Output", "")
            except ClientError as error:
                if not latest or code_of(error) not in NO_LATEST:
                    raise
                return ""


def verdict(row: Mapping[str, Any]) -> bool | None:
    said = {row.get(check, {}).get("Status", "") for check in ("SystemStatus", "InstanceStatus")}
    return False if "impaired" in said else True if said == {"ok"} else None


def ended(raw: Mapping[str, Any]) -> bool:
    return raw["State"]["Name"] in ("terminated", "shutting-down", "stopped")


def parsed(raw: Mapping[str, Any], region: str, request_time: datetime | None = None) -> Instance:
    """The one place where an EC2 instance becomes one of ours."""
    reason = raw.get("StateReason", {})
    over = ended(raw)
    return Instance(
        id=raw["InstanceId"], cloud="aws", region=region, zone=raw["Placement"]["AvailabilityZone"],
        instance_type=raw["InstanceType"], state=STATES[raw["State"]["Name"]], launched_at=raw["LaunchTime"],
        capacity_type=CapacityType.SPOT if raw.get("InstanceLifecycle") == "spot" else CapacityType.ON_DEMAND,
        labels=tags.read(raw.get("Tags")), private_address=raw.get("PrivateIpAddress", ""),
        ended_at=(time_in(raw.get("StateTransitionReason", "")) or request_time) if over else None,
        end_cause=CAUSES.get(reason.get("Code", ""), EndCause.UNKNOWN) if over else None,
        end_message=reason.get("Message", "") if over else "",
    )  # fmt: skip


def time_in(reason: str) -> datetime | None:
    """`User initiated (2026-01-05 12:00:00 GMT)`."""
    found = ENDED_AT.search(reason)
    return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if found else None
