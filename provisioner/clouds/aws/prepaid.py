"""Capacity of ours that is paid for whether it is used or not. Nothing here gives it back: a block never can be."""

from collections.abc import Iterator
from typing import Any

from provisioner.catalog import labels
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.hourly import on_demand_price
from provisioner.clouds.aws.sessions import Sessions, rows
from provisioner.domain.leftovers import Prepaid

OVER = {"expired", "cancelled", "failed", "payment-failed", "unsupported"}
BLOCK = "capacity-block"


def prepaid(sessions: Sessions, region: str, job: str = "") -> Iterator[Prepaid]:
    """What is not over of the region's capacity reservations; the job's alone where one is named."""
    filters = tags.matching({labels.JOB: job} if job else {})
    for item in rows(sessions.ec2(region), "describe_capacity_reservations", "CapacityReservations", Filters=filters):
        if item["State"] not in OVER:
            yield parsed(item, region)


def parsed(item: dict[str, Any], region: str) -> Prepaid:
    """A block was paid when it was bought; a reservation costs what its machines would."""
    block, machines = item.get("ReservationType") == BLOCK, item["TotalInstanceCount"]
    each = on_demand_price(item["InstanceType"], region)
    hourly = each * machines if each is not None else None
    return Prepaid(
        kind=BLOCK if block else "capacity-reservation", id=item["CapacityReservationId"], region=region,
        labels=tags.read(item.get("Tags")), state=item["State"], instance_type=item["InstanceType"], machines=machines,
        paid=block, price_per_hour=None if block else hourly, ends_at=item.get("EndDate"),
    )  # fmt: skip
