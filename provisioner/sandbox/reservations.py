"""Reserved capacity, which moto lacks: made or bought, filled by launches that target it, ended at its date.

On demand, a reservation costs what its machines would, used or not. A capacity block is bought (blocks.py), starts
later, costs nothing more, and takes its machines back half an hour before its end: EC2 User Guide, "Capacity Blocks".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.labels import Tagged
from provisioner.sandbox.lifecycle import Refused, living
from provisioner.sandbox.market import Market, Pool
from provisioner.sandbox.quotas import Quotas
from provisioner.sandbox.wire import AwsError, Call, labels_in, listed, tag_set, xml_answer

PAYMENT = timedelta(seconds=0.2)
CLEARED_BEFORE_END = timedelta(minutes=30)
BLOCK = "capacity-block"
OPEN = ("payment-pending", "scheduled", "active")


@dataclass
class Reservation(Tagged):
    """Machines of one type in one zone. `fee` in USD makes it a capacity block; `end` None lasts until cancelled."""

    KIND, PREFIX = "capacity-reservation", "cr"

    pool: Pool
    count: int
    made: datetime
    start: datetime
    end: datetime | None
    fee: Decimal | None = None
    criteria: str = "targeted"
    placement_group: str = ""
    cancelled: datetime | None = None

    def state(self, now: datetime) -> str:
        if self.cancelled:
            return "cancelled"
        if self.end and now >= self.end:
            return "expired"
        if self.fee is not None and now < self.made + PAYMENT:
            return "payment-pending"
        return "scheduled" if now < self.start else "active"

    @property
    def closed(self) -> datetime | None:
        """When it stopped, or will."""
        return self.cancelled or self.end

    @property
    def members(self) -> list[Instance]:
        """The machines that live in it."""
        return [one for one in living(self.backend) if reserved_in(one) == self.id]

    def xml(self, now: datetime) -> str:
        kind, zone = self.pool
        end = f"<endDate>{written(self.end)}</endDate>" if self.end else ""
        group = f"<placementGroupArn>{self.placement_group}</placementGroupArn>" if self.placement_group else ""
        return (f"<capacityReservationId>{self.id}</capacityReservationId><ownerId>{DEFAULT_ACCOUNT_ID}</ownerId>"
                f"<capacityReservationArn>arn:aws:ec2:{self.region}:{DEFAULT_ACCOUNT_ID}:capacity-reservation/{self.id}"
                f"</capacityReservationArn><instanceType>{kind}</instanceType><availabilityZone>{zone}</availabilityZone>"
                f"<instancePlatform>Linux/UNIX</instancePlatform><tenancy>default</tenancy>"
                f"<totalInstanceCount>{self.count}</totalInstanceCount>"
                f"<availableInstanceCount>{self.count - len(self.members)}</availableInstanceCount>"
                f"<ebsOptimized>false</ebsOptimized><ephemeralStorage>false</ephemeralStorage>"
                f"<state>{self.state(now)}</state><startDate>{written(self.start)}</startDate>{end}"
                f"<endDateType>{'limited' if self.end else 'unlimited'}</endDateType>"
                f"<instanceMatchCriteria>{self.criteria}</instanceMatchCriteria>"
                f"<createDate>{written(self.made)}</createDate>{group}{tag_set(self.labels)}"
                f"<reservationType>{'default' if self.fee is None else BLOCK}</reservationType>")  # fmt: skip


class Reservations:
    """Of every region, by id. `take_back` ends one machine for the cloud."""

    def __init__(
        self, market: Market, quotas: Quotas, clock: SandboxClock, take_back: Callable[[Instance], None]
    ) -> None:
        self._market, self._quotas, self._clock, self._take_back = market, quotas, clock, take_back
        self.held: dict[str, Reservation] = {}

    def answer(self, call: Call) -> Any:
        answers = {"CreateCapacityReservation": self.create, "DescribeCapacityReservations": self.describe,
                   "ModifyCapacityReservation": self.modify, "CancelCapacityReservation": self.cancel}  # fmt: skip
        try:
            return answers[call.operation](call)
        except Refused as refusal:
            return AwsError(refusal.code, refusal.message)

    # the API ----------------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Any:
        """On demand, from now on; what is not free is refused, as a launch is."""
        asked = call.params
        pool, count = (asked.get("InstanceType", ""), asked.get("AvailabilityZone", "")), int(asked["InstanceCount"])
        end, now = self.end_asked(call), self._clock.now()
        self.take(ec2_backends[DEFAULT_ACCOUNT_ID][call.region], pool, count)
        made = Reservation(
            call.region, pool, count, now, now, end, criteria=asked.get("InstanceMatchCriteria", "open"),
            placement_group=asked.get("PlacementGroupArn", ""),
        )  # fmt: skip
        return self.kept(call, made)

    def kept(self, call: Call, made: Reservation) -> Any:
        """With the labels of the call, and its end put on the clock."""
        self.held[made.id] = made
        made.labels.update(labels_in(call))
        self.watch(made)
        return xml_answer(call, f"<capacityReservation>{made.xml(self._clock.now())}</capacityReservation>")

    def describe(self, call: Call) -> Any:
        here = {one.id: one for one in self.held.values() if one.region == call.region}
        names, now = listed(call, "CapacityReservationId"), self._clock.now()
        if missing := sorted(set(names) - set(here)):
            raise unknown(missing[0])
        wanted = [here[one] for one in names or here]
        kept = [one for one in wanted if all(matches(one, now, each) for each in listed(call, "Filter"))]
        items = "".join(f"<item>{one.xml(now)}</item>" for one in kept)
        return xml_answer(call, f"<capacityReservationSet>{items}</capacityReservationSet>")

    def modify(self, call: Call) -> Any:
        one = self.changeable(call)
        self.resize(one, int(call.params.get("InstanceCount", one.count)))
        if "EndDateType" in call.params or "EndDate" in call.params:
            one.end = self.end_asked(call)
            self.watch(one)
        return xml_answer(call, "<return>true</return>")

    def resize(self, one: Reservation, count: int) -> None:
        if count < len(one.members):
            raise Refused("InvalidParameterValue", f"{len(one.members)} instances run in {one.id}.")
        self.take(one.backend, one.pool, count - one.count)
        one.count = count

    def take(self, backend: Any, pool: Pool, count: int) -> None:
        """Off the market, or back to it. Raises what a launch is refused with."""
        free = self._market.free(pool)
        if free is not None and free < count:
            raise Refused("InsufficientInstanceCapacity", f"There is no capacity for {count} {pool[0]} in {pool[1]}.")
        if count > 0:
            self._quotas.check(backend, pool[0], count, spot=False)
        self._market.take(pool, count)

    def cancel(self, call: Call) -> Any:
        one = self.changeable(call)
        one.cancelled = self._clock.now()
        self.free(one)
        return xml_answer(call, "<return>true</return>")

    def changeable(self, call: Call) -> Reservation:
        """Nobody changes or cancels a capacity block, or what has ended."""
        one = self.find(call.region, call.params.get("CapacityReservationId", ""))
        state = one.state(self._clock.now())
        if one.fee is not None:
            raise Refused("UnsupportedOperation", "A Capacity Block can't be modified or cancelled.")
        if state not in OPEN:
            raise Refused("InvalidCapacityReservationState", f"The Capacity Reservation {one.id} is {state}.")
        return one

    def find(self, region: str, name: str) -> Reservation:
        found = self.held.get(name)
        if found is None or found.region != region:
            raise unknown(name)
        return found

    def end_asked(self, call: Call) -> datetime | None:
        """Raises what EC2 says of a date that does not fit its type, or is past."""
        end, limited = moment(call, "EndDate"), call.params.get("EndDateType", "unlimited") == "limited"
        if limited != bool(end):
            raise Refused("InvalidParameterCombination", "EndDate is for EndDateType limited, which cannot be without.")
        if end and end <= self._clock.now():
            raise Refused("InvalidParameterValue", f"The EndDate {written(end)} is not in the future.")
        return end

    # launches ---------------------------------------------------------------------------------------------------------

    def targeted(self, region: str, target: str, market: str, pool: Pool) -> Reservation | None:
        """What a launch goes into; None for none. Raises what EC2 refuses with."""
        if not target:
            if market == BLOCK:
                raise Refused("InvalidParameterCombination", "A Capacity Block has to be named as the target.")
            return None
        one = self.find(region, target)
        state = one.state(self._clock.now())
        if (one.fee is not None) != (market == BLOCK):
            said = f"The market type {market or 'on-demand'} does not fit the Capacity Reservation {target}."
            raise Refused("InvalidParameterCombination", said)
        if state in ("payment-pending", "scheduled"):
            raise Refused("InvalidCapacityReservationState.PendingActivation", "Your Capacity Block is not active yet.")
        if state != "active":
            raise Refused("InvalidCapacityReservationState", f"The Capacity Reservation {target} is {state}.")
        if one.pool != pool:
            raise exceeded(f" It holds {one.pool[0]} in {one.pool[1]}.")
        return one

    def granted(self, one: Reservation, least: int, most: int) -> int:
        """Raises where fewer than the least are left in it."""
        granted = min(most, one.count - len(one.members))
        if one.end and one.fee is not None and self._clock.now() >= one.end - CLEARED_BEFORE_END:
            granted = 0
        if granted < max(least, 1):
            raise exceeded("")
        return granted

    def covers(self, instance: Instance) -> bool:
        """Whether its place goes back to a reservation, and not to the market."""
        one = self.held.get(reserved_in(instance))
        return one is not None and (one.fee is not None or one.state(self._clock.now()) == "active")

    # time -------------------------------------------------------------------------------------------------------------

    def watch(self, one: Reservation) -> None:
        if one.end is None:
            return
        if one.fee is not None:
            self._clock.at(one.end - CLEARED_BEFORE_END, lambda: self.clear(one))
        else:
            end = one.end
            self._clock.at(end, lambda: self.free(one) if one.closed == end else None)

    def clear(self, one: Reservation) -> None:
        for instance in one.members:
            self._take_back(instance)

    def free(self, one: Reservation) -> None:
        """Its machines go on, on demand; the rest is for everybody again."""
        self._market.take(one.pool, len(one.members) - one.count)


def reserved_in(instance: Instance) -> str:
    """The id of its reservation; empty for none."""
    return getattr(instance, "capacity_reservation_id", None) or ""


def moment(call: Call, name: str) -> datetime | None:
    """None where it was not given."""
    text = call.params.get(name)
    found = datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    return found and found.replace(tzinfo=found.tzinfo or UTC)


def written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.000Z}"


def unknown(name: str) -> Refused:
    return Refused("InvalidCapacityReservationId.NotFound", f"The Capacity Reservation '{name}' does not exist.")


def exceeded(more: str) -> Refused:
    said = "The requested reservation does not have sufficient compatible and available capacity for this request."
    return Refused("ReservationCapacityExceeded", said + more)


def matches(one: Reservation, now: datetime, condition: dict[str, Any]) -> bool:
    facts = {"state": one.state(now), "instance-type": one.pool[0], "availability-zone": one.pool[1]}
    facts |= {f"tag:{key}": value for key, value in one.labels.items()}
    wanted: Iterable[str] = condition.get("Value", [])
    return facts.get(condition.get("Name", "")) in wanted
