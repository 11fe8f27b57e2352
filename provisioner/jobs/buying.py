"""What to buy, when, and for how long: the next attempt of a job. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.domain.jobs import (
    Attempt,
    AttemptState,
    EndReason,
    Fallback,
    JobRecord,
    JobSpec,
    JobState,
    Orders,
)
from provisioner.domain.offerings import CapacityType, Offering, Requirements, in_order, moved_per_hour
from provisioner.jobs.actions import (
    Buy,
    Decision,
    Identify,
    Note,
    Observation,
    Survey,
    Wait,
)
from provisioner.jobs.outcomes import no_capacity, time_used


def buying(record: JobRecord, seen: Observation, now: datetime) -> Decision:
    if not record.identity_made:
        return Decision(action=Identify(), reason="the job's machines need an identity")
    if record.next_try_at is not None and now < record.next_try_at:
        return Decision(action=Wait(until=record.next_try_at), reason=f"next try at {record.next_try_at:%H:%M:%S} UTC")
    if seen.offerings is None:
        return Decision(action=Survey(), reason="no machine runs")
    fitting = in_order(seen.offerings, requirements(record))
    open_now = unrefused(fitting, record, now) or unrefused(fitting, without_soft(record), now)
    if not open_now and fitting and all_for_good(fitting, record):
        return Decision(action=Note(record=replace(record, outcome=no_capacity(record))), reason="refused for good")
    if not open_now:
        return Decision(action=Note(record=paused(record, now)), reason="every offering was refused")
    return Decision(action=Buy(offerings=batch(open_now, record)), reason=f"{len(open_now)} offerings are open")


def requirements(record: JobRecord) -> Requirements:
    """What the job accepts, with the size of its checkpoint counted into what a region's network costs."""
    return requirements_of(record.spec, record.checkpoint.bytes if record.checkpoint else 0)


def requirements_of(spec: JobSpec, saved: int = 0) -> Requirements:
    """What is accepted for a job that has `saved` bytes of checkpoint."""
    fallback = (CapacityType.ON_DEMAND,) if spec.fallback is Fallback.ON_DEMAND else ()
    return Requirements(
        instance_types=spec.instance_types, regions=spec.regions, zones=spec.zones, max_price=spec.max_price,
        capacity_types=(CapacityType.SPOT, *fallback), needs_internet=bool(spec.setup or spec.secrets),
        moved_gib_per_hour=moved_per_hour(saved, spec.checkpoint_every),
    )  # fmt: skip


def unrefused(offerings: tuple[Offering, ...], record: JobRecord, now: datetime) -> tuple[Offering, ...]:
    """Those that nobody refused in the last minutes. An empty zone in a refusal stands for the whole region."""
    standing = [refusal for refusal in record.refusals if refusal.until is None or refusal.until > now]

    def refused(offering: Offering) -> bool:
        return any(
            refusal.region == offering.region
            and refusal.zone in ("", offering.zone)
            and refusal.instance_type == offering.instance_type
            and refusal.capacity_type == offering.capacity_type
            for refusal in standing
        )

    return tuple(offering for offering in offerings if not refused(offering))


def without_soft(record: JobRecord) -> JobRecord:
    """Where a machine was lost is asked last, not never: only what the cloud itself refused stays refused."""
    kept = tuple(refusal for refusal in record.refusals if refusal.code not in set(EndReason))
    return replace(record, refusals=kept)


def all_for_good(offerings: tuple[Offering, ...], record: JobRecord) -> bool:
    """Every one of them was refused in a way that waiting does not mend (a quota, a type that is not sold there)."""
    lasting = replace(record, refusals=tuple(refusal for refusal in record.refusals if refusal.until is None))
    return not unrefused(offerings, lasting, record.created_at)


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


def intended(record: JobRecord, offerings: tuple[Offering, ...], now: datetime) -> JobRecord:
    """The record with a new attempt that the cloud has not been asked for yet; its token follows from the record."""
    number = len(record.attempts) + 1
    tries = record.tries + 1
    ends_at, reason = deadline(record, offerings, now)
    attempt = Attempt(
        number=number, token=f"{record.id}-{number}-{tries}", offerings=offerings, intended_at=now,
        state=AttemptState.LAUNCHING, deadline=ends_at,
    )  # fmt: skip
    return replace(
        record, attempts=(*record.attempts, attempt), tries=tries, next_try_at=None,
        state=JobState.RECOVERING if record.attempts else JobState.LAUNCHING,
        orders=Orders(attempt=number, run=True, deadline=ends_at, reason=reason),
    )  # fmt: skip


def deadline(record: JobRecord, offerings: tuple[Offering, ...], now: datetime) -> tuple[datetime, EndReason]:
    """When the machine goes home, and why: the time left, or what the rest of the budget buys at the dearest price."""
    left = record.spec.max_duration - time_used(record)
    if record.spec.budget is not None:
        hourly = max((offering.hourly(Decimal(0)) or Decimal(0) for offering in offerings), default=Decimal(0))
        rest = record.spec.budget - spent_on_ended(record)
        if hourly > 0 and (affordable := timedelta(hours=float(rest / hourly))) < left:
            return now + affordable, EndReason.OVER_BUDGET
    return now + left, EndReason.OVER_TIME


def spent_on_ended(record: JobRecord) -> Decimal:
    return sum((attempt.cost.paid or Decimal(0) for attempt in record.attempts if attempt.cost), Decimal(0))
