"""What an attempt costs by the cloud's published rules. Pure; an estimate until the bill confirms it.

AWS, "Billing for interrupted Spot Instances" and "Spot Instance pricing" (EC2 User Guide): by the second, 60 s at
least, at the price in effect; nothing for a machine that EC2 takes back within its first hour; disks by the second.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.clouds.base import PriceChange
from provisioner.domain.costs import Tariff
from provisioner.domain.jobs import Cost
from provisioner.domain.offerings import GIB, NetworkWay

LEAST_BILLED = timedelta(seconds=60)
HOURS_PER_MONTH = Decimal(730)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one machine used. `start` and `end` are by the cloud's clock."""

    start: datetime
    end: datetime
    prices: tuple[PriceChange, ...]
    """Oldest first; the first is in effect at `start`. Empty: unknown."""
    on_demand_per_hour: Decimal | None
    way: NetworkWay
    free: bool = False
    """The cloud took it back within the time that it does not charge for."""
    disk_gib: int = 0
    moved_bytes: int = 0
    puts: int = 0
    stored_bytes: int = 0
    repeated: timedelta = timedelta(0)
    """What one uninterrupted machine would not have needed: work done twice, starts after the first."""


def cost_of(usage: Usage, tariff: Tariff) -> Cost:
    """What it costs, part by part."""
    span = usage.end - usage.start
    hours = in_hours(span)
    billed = max(usage.end, usage.start + LEAST_BILLED)
    stored = kept_per_month(usage.stored_bytes, tariff) * hours / HOURS_PER_MONTH
    return Cost(
        machine=Decimal(0) if usage.free else metered(usage.prices, usage.start, billed),
        disk=disk_per_hour(usage.disk_gib, tariff) * hours,
        network=usage.way.price_per_hour * hours + usage.way.price_per_gib * Decimal(usage.moved_bytes) / GIB,
        store=stored + tariff.put_per_thousand * usage.puts / 1000,
        on_demand=None
        if usage.on_demand_per_hour is None
        else usage.on_demand_per_hour * in_hours(max(span - usage.repeated, timedelta(0))),
    )


def disk_per_hour(gib: int, tariff: Tariff) -> Decimal:
    """USD for the machine's own disk."""
    return gib * tariff.disk_gib_month / HOURS_PER_MONTH


def kept_per_month(count: int, tariff: Tariff) -> Decimal:
    """USD for that many bytes in the store."""
    return Decimal(count) / GIB * tariff.store_gib_month


def metered(prices: tuple[PriceChange, ...], start: datetime, end: datetime) -> Decimal | None:
    """The price as it changed, second by second; None where it is unknown."""
    if not prices:
        return None
    total = Decimal(0)
    ends = [change.at for change in prices[1:]] + [end]
    for change, until in zip(prices, ends, strict=True):
        since, before = max(change.at, start), min(until, end)
        if change is prices[0]:
            since = start
        total += change.price_per_hour * in_hours(max(before - since, timedelta(0)))
    return total


def in_hours(span: timedelta) -> Decimal:
    return Decimal(max(round(span.total_seconds()), 0)) / 3600


def added(costs: list[Cost]) -> Cost:
    """The sum; unknown as soon as one part is."""

    def total(values: list[Decimal | None]) -> Decimal | None:
        known = [value for value in values if value is not None]
        return sum(known, Decimal(0)) if len(known) == len(values) else None

    return Cost(
        machine=total([cost.machine for cost in costs]),
        disk=sum((cost.disk for cost in costs), Decimal(0)),
        network=sum((cost.network for cost in costs), Decimal(0)),
        store=sum((cost.store for cost in costs), Decimal(0)),
        on_demand=total([cost.on_demand for cost in costs]),
    )
