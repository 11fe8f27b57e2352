"""Capacity that is paid for is named by a teardown, and left."""

import json
from typing import Any

import pytest

from tests.e2e.estate import OURS
from tests.e2e.jobs import accelctl
from tests.sandbox.world import TYPE, aws

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
MARKS = [{"Key": key, "Value": value} for key, value in (OURS | {"accelctl:team": "payers"}).items()]


def bought() -> dict[str, Any]:
    """A capacity block of ours for a day."""
    ec2 = aws("ec2")
    offered = ec2.describe_capacity_block_offerings(InstanceType=TYPE, InstanceCount=1, CapacityDurationHours=24)
    chosen = offered["CapacityBlockOfferings"][0]["CapacityBlockOfferingId"]
    return ec2.purchase_capacity_block(
        CapacityBlockOfferingId=chosen, InstancePlatform="Linux/UNIX",
        TagSpecifications=[{"ResourceType": "capacity-reservation", "Tags": MARKS}],
    )["CapacityReservation"]  # fmt: skip


def reserved() -> str:
    """Two machines, until somebody cancels."""
    made = aws("ec2").create_capacity_reservation(
        InstanceType="g5.xlarge", InstancePlatform="Linux/UNIX", AvailabilityZone="us-east-1a", InstanceCount=2,
        TagSpecifications=[{"ResourceType": "capacity-reservation", "Tags": MARKS}],
    )  # fmt: skip
    return made["CapacityReservation"]["CapacityReservationId"]


@pytest.mark.full
def test_a_teardown_names_what_is_paid_for_with_its_end_and_cost_and_leaves_it() -> None:
    """A block is paid in advance; a reservation costs what its machines would, until it is cancelled."""
    assert accelctl("setup").returncode == 0
    block, open_end = bought(), reserved()
    done = accelctl("teardown", "--label", "team=payers", "--yes", "--output", "json")
    others = accelctl("teardown", "--label", "team=others", "--yes", "--output", "json")
    told = {one["id"]: one for one in json.loads(done.stdout)["prepaid"]}
    held = told[block["CapacityReservationId"]]

    assert done.returncode == 0, done.stderr
    assert (held["kind"], held["paid"], held["price_per_hour"]) == ("capacity-block", True, None)
    assert held["ends_at"] == f"{block['EndDate']:%Y-%m-%dT%H:%M:%SZ}"
    assert f"stays until {block['EndDate']:%Y-%m-%d %H:%M} UTC: paid in advance" in done.stderr
    assert (told[open_end]["price_per_hour"], told[open_end]["ends_at"]) == ("2.012", None)
    assert "nothing is left but prepaid capacity" in done.stderr
    assert json.loads(others.stdout)["prepaid"] == []
    aws("ec2").cancel_capacity_reservation(CapacityReservationId=open_end)
