"""The end of an attempt: what it cost, what was lost, and where not to go next. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from provisioner.domain.instances import EndCause, Instance
from provisioner.domain.jobs import (
    Attempt,
    AttemptState,
    Checkpoint,
    Cost,
    EndReason,
    JobRecord,
    JobState,
    Pace,
    Refusal,
)
from provisioner.domain.reports import NodeReport
from provisioner.errors import Refused
from provisioner.jobs.actions import Close
from provisioner.jobs.buying import with_attempt

ELSEWHERE_FIRST = (EndReason.INTERRUPTED, EndReason.LOST, EndReason.BOOT_TIMEOUT, EndReason.NO_CAPACITY)
"""After one of these the next attempt prefers another place."""
MOST_SAID = 200
TRIES_BEFORE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What is known of an attempt that is over. `at` is by the cloud's clock, None where no machine was bought."""

    at: datetime | None
    report: NodeReport | None = None
    lost: timedelta | None = None
    newest: Checkpoint | None = None
    """The job's newest checkpoint by then."""


def closed(record: JobRecord, close: Close, end: End, *, cost: Cost | None, now: datetime) -> JobRecord:
    """The record with its newest attempt ended, and its newest checkpoint known."""
    attempt = record.attempts[-1]
    ended = replace(
        attempt, state=AttemptState.ENDED, end_reason=close.reason, ended_at=end.at,
        exit_code=close.exit_code, message=close.message or attempt.message, cost=cost,
        last_lines=close.last_lines, work_lost=end.lost,
    )  # fmt: skip
    since = record.waiting_since or (attempt.intended_at if end.report is None else None)
    record = replace(
        with_attempt(record, ended), checkpoint=end.newest or record.checkpoint, state=JobState.RECOVERING,
        waiting_since=since if close.reason in ELSEWHERE_FIRST else None,
    )  # fmt: skip
    if close.reason in ELSEWHERE_FIRST and attempt.offering is not None:
        pool = attempt.offering.pool
        here = Refused(
            region=pool.region, zone=pool.zone, code=close.reason, instance_type=pool.instance_type,
            capacity_type=pool.capacity_type, message=close.message,
        )  # fmt: skip
        record = with_refusals(record, [here], now, lasting=left_alone(close.reason, record.spec.pace))
        if is_the_region(record, close.reason):
            record = with_refusals(record, [here._replace(zone="")], now)
    return record


def left_alone(reason: EndReason, pace: Pace) -> timedelta:
    """Where machines never report, every other place is tried before it: each try takes as long as a boot may."""
    return TRIES_BEFORE * pace.boot_timeout if reason is EndReason.BOOT_TIMEOUT else pace.refusal


def is_the_region(record: JobRecord, reason: EndReason) -> bool:
    """Silence after silence: what is broken may be the way of a whole region."""
    before = record.recent[-2].end_reason if len(record.recent) > 1 else None
    return reason is EndReason.BOOT_TIMEOUT and before in (EndReason.LOST, EndReason.BOOT_TIMEOUT)


def with_last_words(close: Close, printed: str) -> Close:
    """With the last line that a machine printed, where it never reported: most often that says why."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    if close.reason is not EndReason.BOOT_TIMEOUT or not lines:
        return close
    return replace(close, message=f"{close.message}; the last line of its console: {lines[-1][:MOST_SAID]}")


def ended_at(
    attempt: Attempt, instance: Instance | None, report: NodeReport | None, *, pace: Pace, now: datetime
) -> datetime | None:
    """By the cloud's clock; a machine that the cloud has forgotten ran no longer than it can have.

    None where no machine was bought.
    """
    if instance is not None and instance.ended_at is not None:
        return instance.ended_at
    return by_cloud_clock(attempt, min([*latest_ends(attempt, report, pace), now]))


def latest_ends(attempt: Attempt, report: NodeReport | None, pace: Pace) -> list[datetime]:
    """By our clock: a machine goes home at its deadline and after its program; one silent for long is lost."""
    ends = [attempt.deadline] if attempt.deadline else []
    if report is not None:
        ends.append(report.ended.at + pace.settle if report.ended else report.at + pace.lost_after)
    return ends


def by_cloud_clock(attempt: Attempt, moment: datetime) -> datetime | None:
    """That moment of ours, by the clock that the cloud charges by; None where no machine was bought."""
    if attempt.launched_at is None or attempt.bought_at is None:
        return None
    return attempt.launched_at + max(moment - attempt.bought_at, timedelta(0))


def work_lost(
    reason: EndReason, report: NodeReport | None, *, newest: Checkpoint | None, end: datetime | None
) -> timedelta | None:
    """From the last save to the end of the program, by the machine's clock; None where the program never started.

    `end` is that of the machine, by our clock.
    """
    if report is None or report.started_at is None:
        return None
    if reason is EndReason.FINISHED:
        return timedelta(0)
    saved = newest.at if newest and newest.at > report.started_at else report.started_at
    return max((report.program_ended_at or end or report.at) - saved, timedelta(0))


def by_our_clock(attempt: Attempt, end: datetime | None, now: datetime) -> datetime | None:
    """The end of the machine, in the past: the cloud's clock may be set otherwise."""
    if end is None or attempt.launched_at is None or attempt.bought_at is None:
        return None
    return min(attempt.bought_at + (end - attempt.launched_at), now)


def with_refusals(
    record: JobRecord, refused: list[Refused], now: datetime, *, lasting: timedelta | None = None
) -> JobRecord:
    """Remembers who refused; of an earlier refusal by the same pool only the newest stays."""
    until = now + (lasting or record.spec.pace.refusal)
    new = [
        Refusal(
            region=row.region, zone=row.zone, instance_type=row.instance_type, capacity_type=row.capacity_type,
            code=row.code, message=row.message, at=now, until=None if row.lasting else until,
        )
        for row in refused
    ]  # fmt: skip
    pools = {pool_of(row) for row in new}
    kept = [row for row in record.refusals if pool_of(row) not in pools]
    return replace(record, refusals=(*kept, *new))


def pool_of(row: Refusal | Refused) -> tuple[str, str, str, str]:
    return row.region, row.zone, row.instance_type, row.capacity_type


def free_of_charge(instance: Instance | None, within: timedelta) -> bool:
    """The cloud took it back within the time that it does not charge for."""
    return (
        instance is not None
        and instance.end_cause is EndCause.INTERRUPTED
        and instance.ended_at is not None
        and instance.ended_at - instance.launched_at < within
    )
