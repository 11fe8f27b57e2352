"""Reserved capacity: what is bought is paid once and stays, what targets it starts in it, and it ends at its date."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.sandbox.world import TYPE, aws, describe, launch, refused, state_of, until

pytestmark = pytest.mark.usefixtures("sandbox")
ZONE = "us-east-1a"


@cache
def ec2() -> Any:
    """A client takes longer to make than a call."""
    return aws("ec2")


def offerings(**more: Any) -> list[dict[str, Any]]:
    wanted = {"InstanceType": TYPE, "InstanceCount": 1, "CapacityDurationHours": 24} | more
    return ec2().describe_capacity_block_offerings(**wanted)["CapacityBlockOfferings"]


def purchase(offering: str) -> dict[str, Any]:
    return ec2().purchase_capacity_block(CapacityBlockOfferingId=offering, InstancePlatform="Linux/UNIX")[
        "CapacityReservation"
    ]


def bought(**more: Any) -> dict[str, Any]:
    """A block in the zone, active."""
    offering = next(one for one in offerings(**more) if one["AvailabilityZone"] == ZONE)
    block = purchase(offering["CapacityBlockOfferingId"])
    advance(block["StartDate"] - now() + timedelta(seconds=1))
    return block | {"fee": Decimal(offering["UpfrontFee"])}


def now() -> datetime:
    return datetime.fromisoformat(ask("status")["now"])


def advance(duration: timedelta) -> None:
    ask("clock", advance=str(duration.total_seconds()))


def reserved(**more: Any) -> str:
    wanted = {"InstanceType": TYPE, "InstancePlatform": "Linux/UNIX", "AvailabilityZone": ZONE, "InstanceCount": 1,
              "InstanceMatchCriteria": "targeted"} | more  # fmt: skip
    return ec2().create_capacity_reservation(**wanted)["CapacityReservation"]["CapacityReservationId"]


def state(identity: str) -> dict[str, Any]:
    return ec2().describe_capacity_reservations(CapacityReservationIds=[identity])["CapacityReservations"][0]


def into(identity: str, **more: Any) -> dict[str, Any]:
    """A launch on demand that targets it."""
    target = {"CapacityReservationTarget": {"CapacityReservationId": identity}} if identity else None
    asked: dict[str, Any] = {"CapacityReservationSpecification": target, "InstanceMarketOptions": None} | more
    return launch("sleep 600", client=ec2(), **asked)


BLOCK: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "capacity-block"}}


def lines(identity: str) -> list[tuple[str, Decimal]]:
    found = [line for line in ask("ledger")["lines"] if line["resource"] == identity]
    return [(line["kind"], Decimal(line["usd"])) for line in found]


def test_a_block_is_paid_once_and_its_machine_costs_nothing_more() -> None:
    """The fee is on the ledger from the purchase on; half an hour before the end the machine is taken back."""
    block = bought()
    identity = block["CapacityReservationId"]
    assert (state(identity)["State"], state(identity)["ReservationType"]) == ("active", "capacity-block")
    machine = into(identity, **BLOCK)["InstanceId"]
    seen = until(lambda: describe(machine))

    assert (seen["InstanceLifecycle"], seen["CapacityReservationId"]) == ("capacity-block", identity)
    assert state(identity)["AvailableInstanceCount"] == 0
    advance(block["EndDate"] - timedelta(minutes=29) - now())
    assert until(lambda: state_of(machine) == "terminated")
    assert lines(identity) == [("capacity-block", block["fee"])]
    assert dict(lines(machine))["machine"] == 0
    assert refused(lambda: into(identity, **BLOCK))[0] == "ReservationCapacityExceeded"
    advance(timedelta(hours=1))
    assert state(identity)["State"] == "expired"


def test_a_block_that_has_not_begun_takes_no_machine_and_is_not_given_back() -> None:
    """Scheduled first; nobody cancels it."""
    identity = purchase(offerings()[0]["CapacityBlockOfferingId"])["CapacityReservationId"]
    assert until(lambda: state(identity)["State"] == "scheduled")

    pending = refused(lambda: into(identity, **BLOCK))[0]
    kept = refused(lambda: ec2().cancel_capacity_reservation(CapacityReservationId=identity))[0]

    assert (pending, kept) == ("InvalidCapacityReservationState.PendingActivation", "UnsupportedOperation")


def test_an_offering_is_bought_once_and_not_for_ever() -> None:
    """Its id lasts for a while."""
    once, late = offerings()[0]["CapacityBlockOfferingId"], offerings()[0]["CapacityBlockOfferingId"]
    purchase(once)
    advance(timedelta(hours=2))

    assert refused(lambda: purchase(once))[0] == "InvalidCapacityBlockOfferingIdNotFound"
    assert refused(lambda: purchase(late))[0] == "InvalidCapacityBlockOfferingIdExpired"
    assert refused(lambda: purchase("r-1"))[0] == "InvalidCapacityBlockOfferingIdMalformed"


@pytest.mark.parametrize("wrong", [{"InstanceType": "g5.xlarge"}, {"CapacityDurationHours": 25}])
def test_what_is_never_offered_as_a_block_is_refused(wrong: dict[str, Any]) -> None:
    """Another family; part of a day."""
    assert refused(lambda: offerings(**wrong))[0] == "InvalidParameterValue"


def test_offerings_keep_to_the_dates_that_were_asked_for() -> None:
    """None that starts sooner or ends later."""
    start = now() + timedelta(days=3)
    found = offerings(StartDateRange=start, EndDateRange=start + timedelta(days=2))

    assert found
    assert all(one["StartDate"] >= start.replace(microsecond=0) for one in found)
    assert offerings(StartDateRange=start, EndDateRange=start + timedelta(hours=20)) == []


@pytest.fixture(scope="module")
def standing(sandbox: dict[str, Any]) -> str:
    """A block that is active."""
    return bought()["CapacityReservationId"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"InstanceMarketOptions": None}, "InvalidParameterCombination"),
        ({"target": ""}, "InvalidParameterCombination"),
        ({"target": "cr-0123456789abcdef0"}, "InvalidCapacityReservationId.NotFound"),
        ({"zone": "us-east-1b"}, "ReservationCapacityExceeded"),
        ({"InstanceType": "g4dn.xlarge"}, "ReservationCapacityExceeded"),
        ({"MinCount": 2, "MaxCount": 2}, "ReservationCapacityExceeded"),
    ],
    ids=["on demand", "without a target", "unknown", "another zone", "another type", "more than it holds"],
)
def test_a_launch_that_does_not_fit_its_block_is_refused(standing: str, asked: dict[str, Any], code: str) -> None:
    """In EC2's words, and nothing is started."""
    wanted = BLOCK | asked
    target = wanted.pop("target", standing)

    assert refused(lambda: into(target, **wanted))[0] == code
    assert state(standing)["AvailableInstanceCount"] == 1


def test_a_reservation_costs_what_its_machine_would_whether_it_runs_or_not() -> None:
    """An hour empty and an hour full cost the same; its end is moved, and lets the machine go on."""
    identity = reserved(EndDateType="limited", EndDate=now() + timedelta(hours=1))
    ec2().create_tags(Resources=[identity], Tags=[{"Key": "team", "Value": "vision"}])
    assert state(identity)["Tags"] == [{"Key": "team", "Value": "vision"}]
    ec2().modify_capacity_reservation(
        CapacityReservationId=identity, EndDateType="limited", EndDate=now() + timedelta(hours=2)
    )
    advance(timedelta(hours=1))
    machine = into(identity)["InstanceId"]
    advance(timedelta(hours=3))

    assert state(identity)["State"] == "expired"
    assert until(lambda: state_of(machine) == "running")
    (kind, empty), price = lines(identity)[0], Decimal("21.957642")
    assert (kind, round(empty / price, 2)) == ("reservation", 1)
    assert round(dict(lines(machine))["machine"] / price, 2) == 3


def test_a_reservation_holds_its_capacity_until_it_is_cancelled() -> None:
    """What is reserved nobody else gets; afterwards it is free again."""
    ask("capacity", type=TYPE, zone=ZONE, count="1")
    identity = reserved()
    assert refused(lambda: launch("true"))[0] == "InsufficientInstanceCapacity"
    assert refused(reserved)[0] == "InsufficientInstanceCapacity"

    ec2().cancel_capacity_reservation(CapacityReservationId=identity)

    assert state(identity)["State"] == "cancelled"
    assert refused(lambda: into(identity))[0] == "InvalidCapacityReservationState"
    assert launch("true")["InstanceId"]
    ask("capacity", type=TYPE, zone=ZONE, count="1000")


def test_a_reservation_grows_and_shrinks_with_what_is_free() -> None:
    """Not beyond what there is, not below what is in it."""
    ask("capacity", type=TYPE, zone=ZONE, count="2")
    identity = reserved()

    def resized(count: int) -> str:
        return refused(lambda: ec2().modify_capacity_reservation(CapacityReservationId=identity, InstanceCount=count))[
            0
        ]

    assert (resized(3), resized(2)) == ("InsufficientInstanceCapacity", "")
    assert refused(lambda: launch("true"))[0] == "InsufficientInstanceCapacity"
    into(identity)
    into(identity)
    assert (resized(1), state(identity)["TotalInstanceCount"]) == ("InvalidParameterValue", 2)
    ask("capacity", type=TYPE, zone=ZONE, count="1000")


@pytest.mark.parametrize(
    "wrong",
    [{"EndDateType": "limited"}, {"EndDate": datetime(2030, 1, 1, tzinfo=UTC)},
     {"EndDateType": "limited", "EndDate": datetime(2020, 1, 1, tzinfo=UTC)}],
    ids=["limited by nothing", "a date without limit", "past"],
)  # fmt: skip
def test_an_end_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    """A limited one has a date, that is to come."""
    assert refused(lambda: reserved(**wrong))[0].startswith("InvalidParameter")
