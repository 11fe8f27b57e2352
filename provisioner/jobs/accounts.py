"""What the attempts of a job have cost: usage from the record and the reports, prices from the cloud."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from provisioner.clouds.base import KnowsPrices, PriceChange, Traits
from provisioner.domain.costs import Tariff
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Attempt, Cost, JobRecord
from provisioner.domain.reports import NodeReport
from provisioner.jobs.buying import hourly
from provisioner.jobs.closing import End, by_cloud_clock, free_of_charge
from provisioner.jobs.costs import LEAST_BILLED, Usage, added, cost_of, in_hours


class PricedCloud(KnowsPrices, Protocol):
    """Prices, and when nothing is charged."""

    @property
    def traits(self) -> Traits: ...


class Accounts:
    """Costs of one cloud's jobs."""

    def __init__(self, *, cloud: PricedCloud, tariff: Tariff) -> None:
        self._cloud = cloud
        self._tariff = tariff

    def settled(
        self, attempt: Attempt, instance: Instance | None, end: End, *, record: JobRecord, priced: bool = True
    ) -> Cost | None:
        """Of an attempt that is over; None where no machine was bought.

        Where it is not `priced`, the cloud is not asked, and what the machine cost is unknown.
        """
        if attempt.offering is None or attempt.launched_at is None or end.at is None:
            return None
        free = free_of_charge(instance, self._cloud.traits.free_when_interrupted_within)
        prices: tuple[PriceChange, ...] = ()
        if priced and not free:
            prices = tuple(self._cloud.price_history(attempt.offering, attempt.launched_at, end.at))
        report, lost = end.report, end.lost or timedelta(0)
        usage = Usage(
            start=attempt.launched_at, end=end.at, prices=prices, free=free, disk_gib=record.spec.disk_gib,
            on_demand_per_hour=attempt.offering.on_demand_per_hour, way=attempt.offering.way,
            moved_bytes=report.sent_bytes + report.received_bytes if report else 0,
            puts=report.requests if report else 0,
            stored_bytes=record.checkpoint.bytes if record.checkpoint else 0,
            repeated=lost + again(attempt, report, end.at - attempt.launched_at),
        )  # fmt: skip
        return cost_of(usage, self._tariff)

    def running(
        self, attempt: Attempt, report: NodeReport | None, record: JobRecord, now: datetime, *, priced: bool = True
    ) -> Cost | None:
        """Of an attempt so far."""
        end = End(at=by_cloud_clock(attempt, now), report=report)
        return self.settled(attempt, None, end, record=record, priced=priced)

    def spent(self, record: JobRecord, report: NodeReport | None, now: datetime) -> Decimal | None:
        """USD so far, the running attempt and what it says it moved included; None where a price is unknown."""
        return self.total(record, report, now).paid

    def hourly(self, record: JobRecord, now: datetime) -> Decimal | None:
        """USD for an hour of the live machine with disk and traffic, at the price of now; None where unknown."""
        offering = record.attempt.offering if record.attempt and record.attempt.cost is None else None
        prices = self._cloud.price_history(offering, now, now) if offering else ()
        if offering is None or not prices:
            return None
        return hourly(record, replace(offering, price_per_hour=prices[-1].price_per_hour), self._tariff)

    def total(self, record: JobRecord, report: NodeReport | None, now: datetime, *, priced: bool = True) -> Cost:
        """The whole job so far; `priced` as in `settled`."""
        costs = [attempt.cost for attempt in record.attempts if attempt.cost is not None]
        last = record.attempt
        if last is not None and last.cost is None and (cost := self.running(last, report, record, now, priced=priced)):
            costs.append(cost)
        total, least = added(costs), least_on_demand(record)
        if total.on_demand is None or least is None:
            return total
        return replace(total, on_demand=max(total.on_demand, least))


def least_on_demand(record: JobRecord) -> Decimal | None:
    """What the one machine that nobody interrupts would have been billed at the least; None where none was bought."""
    bought = next((attempt.offering for attempt in record.attempts if attempt.offering), None)
    if bought is None or bought.on_demand_per_hour is None:
        return None
    return bought.on_demand_per_hour * in_hours(LEAST_BILLED)


def again(attempt: Attempt, report: NodeReport | None, span: timedelta) -> timedelta:
    """What a later machine took before its program began: no less than by its own clock, which may be behind ours."""
    if attempt.number == 1 or attempt.bought_at is None:
        return timedelta(0)
    if report is None or report.started_at is None:
        return span
    took = max(report.started_at - attempt.bought_at, report.started_at - report.booted_at, timedelta(0))
    return min(took, span)
