"""Capacity blocks, which moto lacks: offered for a while, bought once, paid for at once and never given back."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import zones
from provisioner.sandbox.lifecycle import Refused
from provisioner.sandbox.market import Pool, on_demand
from provisioner.sandbox.reservations import Reservation, Reservations, moment, written
from provisioner.sandbox.wire import AwsError, Call, xml_answer

OFFERED_FOR = timedelta(hours=1)
"""An offering's id lasts for a while; AWS does not say how long."""
SOONEST = timedelta(minutes=30)
SHARE = Decimal("0.6")
"""Of the price on demand."""
LONGEST_HOURS = 182 * 24
FAMILIES = re.compile(r"(p[4-9]\w*|trn\d\w*)\.\w+")
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-blocks.html"""
MALFORMED = "InvalidCapacityBlockOfferingIdMalformed"


@dataclass(frozen=True)
class Offering:
    """USD for all of its machines together."""

    region: str
    pool: Pool
    count: int
    start: datetime
    end: datetime
    offered: datetime
    id: str = field(default_factory=lambda: f"cb-0{secrets.token_hex(8)}")

    @property
    def hours(self) -> int:
        return int((self.end - self.start).total_seconds() // 3600)

    @property
    def fee(self) -> Decimal:
        return (on_demand(self.pool[0]) * SHARE * self.hours * self.count).quantize(Decimal("0.01"))

    def xml(self) -> str:
        return (f"<item><capacityBlockOfferingId>{self.id}</capacityBlockOfferingId><instanceType>{self.pool[0]}"
                f"</instanceType><availabilityZone>{self.pool[1]}</availabilityZone><instanceCount>{self.count}"
                f"</instanceCount><startDate>{written(self.start)}</startDate><endDate>{written(self.end)}</endDate>"
                f"<capacityBlockDurationHours>{self.hours}</capacityBlockDurationHours><upfrontFee>{self.fee}"
                f"</upfrontFee><currencyCode>USD</currencyCode><tenancy>default</tenancy></item>")  # fmt: skip


class Blocks:
    """What is offered, by id."""

    def __init__(self, reservations: Reservations, clock: SandboxClock) -> None:
        self._reservations, self._clock = reservations, clock
        self._offered: dict[str, Offering] = {}

    def answer(self, call: Call) -> Any:
        asked = {"DescribeCapacityBlockOfferings": self.describe, "PurchaseCapacityBlock": self.purchase}
        try:
            return asked[call.operation](call)
        except Refused as refusal:
            return AwsError(refusal.code, refusal.message)

    def describe(self, call: Call) -> Any:
        """One for each zone that sells the type, as soon as may be."""
        kind, count = call.params.get("InstanceType", ""), int(call.params.get("InstanceCount", "1"))
        hours = int(call.params.get("CapacityDurationHours", "0"))
        if not 0 < hours <= LONGEST_HOURS or hours % 24:
            raise Refused("InvalidParameterValue", f"{hours} is no duration of a Capacity Block: whole days, in hours.")
        if not FAMILIES.fullmatch(kind):
            raise Refused("InvalidParameterValue", f"The instance type '{kind}' is not offered as a Capacity Block.")
        now = self._clock.now()
        start = max(now + SOONEST, moment(call, "StartDateRange") or now).replace(microsecond=0)
        end, latest = start + timedelta(hours=hours), moment(call, "EndDateRange")
        offers = [Offering(call.region, (kind, zone), count, start, end, now) for zone in zones(call.region, kind)]
        fitting = [one for one in offers if latest is None or one.end <= latest]
        self._offered |= {one.id: one for one in fitting}
        items = "".join(one.xml() for one in fitting)
        return xml_answer(call, f"<capacityBlockOfferingSet>{items}</capacityBlockOfferingSet>")

    def purchase(self, call: Call) -> Any:
        """An offering is bought once."""
        one, now = self.find(call.params.get("CapacityBlockOfferingId", ""), call.region), self._clock.now()
        del self._offered[one.id]
        bought = Reservation(call.region, one.pool, one.count, now, one.start, one.end, fee=one.fee)
        return self._reservations.kept(call, bought)

    def find(self, name: str, region: str) -> Offering:
        if not name.startswith("cb-"):
            raise Refused(MALFORMED, f"The Capacity Block offering ID '{name}' is malformed.")
        found = self._offered.get(name)
        if found is None or found.region != region:
            raise Refused(
                "InvalidCapacityBlockOfferingIdNotFound", f"The Capacity Block offering ID '{name}' cannot be found."
            )
        if self._clock.now() > found.offered + OFFERED_FOR:
            raise Refused(
                "InvalidCapacityBlockOfferingIdExpired", f"The Capacity Block offering '{name}' is no longer available."
            )
        return found
