"""What to buy, when, and for how long: the next attempt of a job. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.domain.costs import Tariff
from provisioner.domain.jobs import (
    Attempt,
    AttemptState,
    EndReason,
    Fallback,
    JobRecord,
    JobSpec,
    JobState,
    Orders,
    Outcome,
    Refusal,
)
from provisioner.domain.offerings import CapacityType, Offering, Requirements, in_order, moved_per_hour
from provisioner.domain.quantities import LONGEST
from provisioner.jobs.actions import (
    Buy,
    Decision,
    Identify,
    Note,
    Observation,
    Survey,
    Wait,
)
from provisioner.jobs.costs import LEAST_BILLED, disk_per_hour
from provisioner.jobs.outcomes import failed, goes_on, no_capacity, of_cloud, time_used, waited_enough


def buying(record: JobRecord, seen: Observation, now: datetime) -> Decision:
    if not record.identity_made:
        return Decision(action=Identify(), reason="the job's machines need an identity")
    if record.next_try_at is not None and now < record.next_try_at:
        return Decision(action=Wait(until=record.next_try_at), reason=f"next try at {record.next_try_at:%H:%M:%S} UTC")
    if seen.offerings is None:
        return Decision(action=Survey(), reason="no machine runs")
    fitting = in_order(seen.offerings, requirements(record))
    if open_now := open_to(record, fitting, now):
        return Decision(action=Buy(offerings=batch(open_now, record)), reason=f"{len(open_now)} offerings are open")
    if waited_enough(record, now) or all_for_good(fitting, record):
        return Decision(action=Note(record=replace(record, outcome=no_capacity(record))), reason="no use in waiting")
    return Decision(action=Note(record=paused(record, now)), reason="every offering was refused")


def open_to(record: JobRecord, fitting: tuple[Offering, ...], now: datetime) -> tuple[Offering, ...]:
    """What can be asked now: a region that is suspect after the others, where a machine was lost last of all.

    Once the wait is over, all of it once more.
    """
    if waited_enough(record, now):
        return unasked(fitting, record)
    refusals = standing(record, now)
    by_cloud = of_cloud(refusals)
    of_places = [one for one in refusals if one.zone or one in by_cloud]
    return next(filter(None, (unrefused(fitting, some) for some in (refusals, of_places, by_cloud))), ())


def requirements(record: JobRecord) -> Requirements:
    """What the job accepts, with the size of its checkpoint counted into what a region's network costs."""
    return requirements_of(record.spec, record.checkpoint.bytes if record.checkpoint else 0)


def requirements_of(spec: JobSpec, saved: int = 0) -> Requirements:
    """What is accepted for a job that has `saved` bytes of checkpoint."""
    fallback = (CapacityType.ON_DEMAND,) if spec.fallback is Fallback.ON_DEMAND else ()
    return Requirements(
        instance_types=spec.instance_types, regions=spec.regions, zones=spec.zones, max_price=spec.max_price,
        capacity_types=(CapacityType.SPOT, *fallback), known_price=spec.budget is not None,
        needs_internet=bool(spec.setup or spec.secrets),
        moved_gib_per_hour=moved_per_hour(saved, spec.checkpoint_every),
    )  # fmt: skip


def standing(record: JobRecord, now: datetime) -> list[Refusal]:
    """Refusals of the last minutes, and those for good."""
    return [refusal for refusal in record.refusals if refusal.until is None or refusal.until > now]


def unrefused(offerings: tuple[Offering, ...], refusals: Sequence[Refusal]) -> tuple[Offering, ...]:
    """Those that none of them names. An empty zone in a refusal stands for the whole region."""

    def refused(offering: Offering) -> bool:
        return any(
            refusal.region == offering.region
            and refusal.zone in ("", offering.zone)
            and refusal.instance_type == offering.instance_type
            and refusal.capacity_type == offering.capacity_type
            for refusal in refusals
        )

    return tuple(offering for offering in offerings if not refused(offering))


def unasked(offerings: tuple[Offering, ...], record: JobRecord) -> tuple[Offering, ...]:
    """Those that have not been asked since the wait was over: each gets a last try."""
    since = (record.waiting_since or record.created_at) + record.spec.max_wait
    return unrefused(offerings, [one for one in record.refusals if one.until is None or one.at >= since])


def all_for_good(offerings: tuple[Offering, ...], record: JobRecord) -> bool:
    """Every one of them was refused in a way that waiting does not mend (a quota, a type that is not sold there)."""
    lasting = [refusal for refusal in record.refusals if refusal.until is None]
    return bool(offerings) and not unrefused(offerings, lasting)


def batch(open_now: tuple[Offering, ...], record: JobRecord) -> tuple[Offering, ...]:
    """One offering at a time for one type; for several, all of the cheapest one's region and capacity type at once."""
    first = open_now[0]
    if len(set(record.spec.instance_types)) == 1:
        return (first,)
    return tuple(o for o in open_now if (o.region, o.capacity_type) == (first.region, first.capacity_type))


def paused(record: JobRecord, now: datetime) -> JobRecord:
    """Waits longer each round, and no shorter than until the first refusal is forgotten; never past --max-wait."""
    pace = record.spec.pace
    pause = min(pace.first_pause * 2 ** min(record.rounds, 10), pace.longest_pause)
    frees = [refusal.until for refusal in record.refusals if refusal.until is not None and refusal.until > now]
    waiting_since = record.waiting_since or now
    at = min(max(now + pause, min(frees, default=now)), waiting_since + record.spec.max_wait)
    return replace(record, next_try_at=at, waiting_since=waiting_since, rounds=record.rounds + 1)


def with_attempt(record: JobRecord, attempt: Attempt) -> JobRecord:
    """The record with its newest attempt replaced."""
    return replace(record, attempts=(*record.attempts[:-1], attempt))


def intended(
    record: JobRecord, offerings: tuple[Offering, ...], tariff: Tariff, now: datetime, *, by: str = ""
) -> JobRecord:
    """The record with a new attempt that the cloud has not been asked for yet; its token follows from the record.

    Or with its outcome, where too little is left for another machine.
    """
    number = len(record.attempts) + 1
    tries = record.tries + 1
    ends_at, reason = deadline(record, offerings, tariff, now)
    if outcome := too_little_left(record, ends_at - now, reason):
        return replace(record, outcome=outcome)
    attempt = Attempt(
        number=number, token=f"{record.id}-{number}-{tries}", offerings=offerings, intended_at=now, intended_by=by,
        state=AttemptState.LAUNCHING, deadline=ends_at, ends_by=ends_at,
    )  # fmt: skip
    return replace(
        record, attempts=(*record.attempts, attempt), tries=tries, next_try_at=None,
        state=JobState.RECOVERING if record.attempts else JobState.LAUNCHING,
        orders=Orders(attempt=number, run=True, deadline=ends_at, reason=reason, token=attempt.token),
        regions_tried=tuple(sorted({*record.regions_tried, *(offering.region for offering in offerings)})),
    )  # fmt: skip


def too_little_left(record: JobRecord, left: timedelta, reason: EndReason) -> Outcome | None:
    """The rest would go into another start, or into the least that is billed: it buys no work."""
    if left > another_start(record) and (reason is EndReason.OVER_TIME or left >= LEAST_BILLED):
        return None
    limit = "--max-duration" if reason is EndReason.OVER_TIME else "--budget"
    seconds = round(left.total_seconds())
    what = f"what is left of {limit} pays for {seconds} s of a machine, and no work can be done in that"
    return failed(6, what, goes_on(record, limit))


def another_start(record: JobRecord) -> timedelta:
    """What the newest machine whose program began took for that: its boot, restoring and set-up."""
    spans = [
        (one.took_to_boot or timedelta(0)) + one.took_to_start
        for one in record.attempts
        if one.took_to_start is not None
    ]
    return spans[-1] if spans else timedelta(0)


def deadline(
    record: JobRecord, offerings: tuple[Offering, ...], tariff: Tariff, now: datetime
) -> tuple[datetime, EndReason]:
    """When the machine goes home, and why: the time left, or what the rest of the budget buys at the dearest price."""
    left = record.spec.max_duration - time_used(record)
    if record.spec.budget is not None:
        dearest = max((hourly(record, offering, tariff) or Decimal(0) for offering in offerings), default=Decimal(0))
        rest = record.spec.budget - spent_on_ended(record)
        if dearest > 0 and (affordable := affords(rest, dearest)) < left:
            return now + affordable, EndReason.OVER_BUDGET
    return now + left, EndReason.OVER_TIME


def affords(amount: Decimal, per_hour: Decimal) -> timedelta:
    """For how long it pays; no longer than anybody asks for."""
    return timedelta(hours=min(float(amount / per_hour), LONGEST / timedelta(hours=1)))


def hourly(record: JobRecord, offering: Offering, tariff: Tariff) -> Decimal | None:
    """USD for an hour of the job on that machine, its disk and its traffic included; None where it is unknown."""
    machine = offering.hourly(requirements(record).moved_gib_per_hour)
    return None if machine is None else machine + disk_per_hour(record.spec.disk_gib, tariff)


def spent_on_ended(record: JobRecord) -> Decimal:
    return sum((attempt.cost.paid or Decimal(0) for attempt in record.attempts if attempt.cost), Decimal(0))
