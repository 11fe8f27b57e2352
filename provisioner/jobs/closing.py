"""The end of an attempt: what it cost, what was lost, and where not to go next. Pure."""

from dataclasses import replace
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
    Refusal,
)
from provisioner.domain.reports import NodeReport
from provisioner.errors import Refused
from provisioner.jobs.actions import Close
from provisioner.jobs.buying import with_attempt

ELSEWHERE_FIRST = (EndReason.INTERRUPTED, EndReason.LOST, EndReason.BOOT_TIMEOUT, EndReason.NO_CAPACITY)
"""After one of these the next attempt prefers another place."""


def closed(
    record: JobRecord,
    close: Close,
    *,
    report: NodeReport | None,
    cost: Cost | None,
    newest: Checkpoint | None,
    now: datetime,
) -> JobRecord:
    """The record with its newest attempt ended and its newest checkpoint known."""
    attempt = record.attempts[-1]
    ended = replace(
        attempt, state=AttemptState.ENDED, end_reason=close.reason, ended_at=ended_at(attempt, close.instance, now),
        exit_code=close.exit_code, message=close.message or attempt.message, cost=cost,
        work_lost=work_lost(attempt, close, report, newest=newest, now=now),
    )  # fmt: skip
    record = replace(with_attempt(record, ended), checkpoint=newest or record.checkpoint, state=JobState.RECOVERING)
    if close.reason in ELSEWHERE_FIRST and attempt.offering is not None:
        pool = attempt.offering.pool
        refused = Refused(
            region=pool.region, zone=pool.zone, instance_type=pool.instance_type, capacity_type=pool.capacity_type,
            code=close.reason, message=close.message,
        )  # fmt: skip
        record = with_refusals(record, [refused], now)
    return record


def ended_at(attempt: Attempt, instance: Instance | None, now: datetime) -> datetime | None:
    """By the cloud's clock; where the cloud does not say, by ours since the purchase."""
    if instance is not None and instance.ended_at is not None:
        return instance.ended_at
    if attempt.launched_at is None or attempt.bought_at is None:
        return None
    return attempt.launched_at + (now - attempt.bought_at)


def work_lost(
    attempt: Attempt, close: Close, report: NodeReport | None, *, newest: Checkpoint | None, now: datetime
) -> timedelta | None:
    """From the last save to the end of the program, by the machine's clock; None where the program never started."""
    if report is None or report.started_at is None:
        return None
    if close.reason is EndReason.FINISHED:
        return timedelta(0)
    saved = newest.at if newest and newest.at > report.started_at else report.started_at
    end = report.program_ended_at or machine_end(attempt, close.instance, now) or report.at
    return max(end - saved, timedelta(0))


def machine_end(attempt: Attempt, instance: Instance | None, now: datetime) -> datetime | None:
    """The end of the machine by our clock: the cloud's may be set otherwise."""
    end = ended_at(attempt, instance, now)
    if end is None or attempt.launched_at is None or attempt.bought_at is None:
        return None
    return min(attempt.bought_at + (end - attempt.launched_at), now)


def with_refusals(record: JobRecord, refused: list[Refused], now: datetime) -> JobRecord:
    """Remembers who refused; of an earlier refusal by the same pool only the newest stays."""
    until = now + record.spec.pace.refusal
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


def pool_of(row: Refusal) -> tuple[str, str, str, str]:
    return row.region, row.zone, row.instance_type, row.capacity_type


def free_of_charge(instance: Instance | None, within: timedelta) -> bool:
    """The cloud took it back within the time that it does not charge for."""
    return (
        instance is not None
        and instance.end_cause is EndCause.INTERRUPTED
        and instance.ended_at is not None
        and instance.ended_at - instance.launched_at < within
    )
