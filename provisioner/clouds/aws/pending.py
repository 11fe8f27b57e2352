"""What EC2 and SQS made for a stack that does not know it: found by label, for `accelctl adopt`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from provisioner.catalog import labels
from provisioner.catalog.pending import Pending, table
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.inventory import rows, state_of
from provisioner.clouds.aws.kinds import BY_NAME
from provisioner.clouds.aws.sessions import Sessions


class Listing(NamedTuple):
    """A call, the member of its answer, and that member's id."""

    describe: str
    items: str
    id: str


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
GONE = ("terminated", "shutting-down", "deleted", "deleting", "cancelled", "expired", "delete-complete")


class Orphans:
    """Of one stack in one region; `known` are the ids of its state."""

    def __init__(self, sessions: Sessions, region: str, known: set[str]) -> None:
        self._sessions, self._region, self._known = sessions, region, known

    def account(self) -> str:
        return self._sessions.client("sts", self._region).get_caller_identity()["Account"]

    def covers(self, one: Pending) -> bool:
        return one.type == QUEUE or one.type in table()["labelled"]

    def find(self, one: Pending) -> str:
        """Its id; empty where it was not made."""
        if one.type == QUEUE:
            found = self._sessions.client("sqs", self._region).list_queues(QueueNamePrefix=one.inputs["name"])
            return next(iter(found.get("QueueUrls", [])), "")
        row = table()["labelled"][one.type]
        listing = kind_of(row["kind"])
        wanted = tags.matching({labels.STACK: one.inputs["tags"][labels.STACK]})
        found = rows(self._sessions.ec2(self._region), listing.describe, listing.items, Filters=wanted)
        if row["kind"] == "instance":
            found = [instance for reservation in found for instance in reservation["Instances"]]
        fitting = [item[listing.id] for item in found if self._fits(item, one, row["same"], listing.id)]
        return next(iter(fitting), "")

    def _fits(self, item: Any, one: Pending, same: Mapping[str, str], id: str) -> bool:
        told = one.inputs["tags"].items() <= tags.read(item.get("Tags")).items()
        agrees = all(one.inputs.get(ours) in (None, item.get(theirs)) for ours, theirs in same.items())
        return told and agrees and item[id] not in self._known and state_of(item) not in GONE


def kind_of(name: str) -> Listing:
    if name in MORE:
        return MORE[name]
    kind = BY_NAME[name]
    return Listing(kind.describe, kind.items, kind.id)
