"""What EC2 and SQS made for a stack that does not know it: found by label, for `accelctl adopt`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from provisioner.catalog import labels
from provisioner.catalog.pending import id_of, table
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.kinds import BY_NAME
from provisioner.clouds.aws.listings import state_of
from provisioner.clouds.aws.sessions import Sessions, rows
from provisioner.domain.pending import Pending


class Listing(NamedTuple):
    """A call, the member of its answer, and that member's id."""

    describe: str
    items: str
    id: str
    read: Callable[[Any, list[Any]], list[Any]] | None = None
    """What the rows become, where they are not the things themselves."""


MORE = {
    "capacity-reservation": Listing(
        "describe_capacity_reservations", "CapacityReservations", "CapacityReservationId"
    ),
    "instance-connect-endpoint": Listing(
        "describe_instance_connect_endpoints", "InstanceConnectEndpoints", "InstanceConnectEndpointId"
    ),
}  # fmt: skip
"""Of kinds that stacks alone make."""
QUEUE = "aws:sqs/queue:Queue"
NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
GONE = ("terminated", "shutting-down", "deleted", "deleting", "cancelled", "expired", "delete-complete")


class Orphans:
    """Satisfies FindsPending."""

    def __init__(self) -> None:
        self._sessions = Sessions()

    def find(self, one: Pending, told: Mapping[str, str], known: Collection[str]) -> str | None:
        region = one.inputs.get("region") or told.get("region", "")
        if one.type == QUEUE:
            return self._queue(one, region)
        if one.type in table()["labelled"]:
            return self._labelled(one, region, known)
        return id_of(one, {**told, "account": self._sessions.caller.account})

    def _queue(self, one: Pending, region: str) -> str | None:
        if "name" not in one.inputs:
            return None
        client = self._sessions.client("sqs", region)
        with translated("sqs:GetQueueUrl"):
            try:
                return client.get_queue_url(QueueName=one.inputs["name"])["QueueUrl"]
            except ClientError as error:
                if code_of(error) not in NO_QUEUE:
                    raise
                return ""

    def _labelled(self, one: Pending, region: str, known: Collection[str]) -> str | None:
        """None without the label of a stack, or where several things fit."""
        row, marks = table()["labelled"][one.type], marks_of(one)
        if labels.STACK not in marks:
            return None
        listing, ec2 = kind_of(row["kind"]), self._sessions.ec2(region)
        wanted = tags.matching({labels.STACK: marks[labels.STACK]})
        found = rows(ec2, listing.describe, listing.items, Filters=wanted)
        found = listing.read(ec2, found) if listing.read else found
        fitting = [item[listing.id] for item in found if fits(item, one, row["same"]) and item[listing.id] not in known]
        return None if len(fitting) > 1 else "".join(fitting)


def marks_of(one: Pending) -> Mapping[str, str]:
    return one.inputs.get("tags") or {}


def fits(item: Any, one: Pending, same: Mapping[str, str]) -> bool:
    told = marks_of(one).items() <= tags.read(item.get("Tags")).items()
    agrees = all(one.inputs.get(ours) in (None, item.get(theirs)) for ours, theirs in same.items())
    return told and agrees and state_of(item) not in GONE


def kind_of(name: str) -> Listing:
    if name in MORE:
        return MORE[name]
    kind = BY_NAME[name]
    return Listing(kind.describe, kind.items, kind.id, kind.read)
