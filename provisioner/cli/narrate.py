"""What happened between two looks at a job, in lines for a person. Pure."""

from collections.abc import Iterator

from provisioner.cli.output import money, size, span
from provisioner.domain.jobs import Attempt, AttemptState, EndReason, JobRecord, Refusal

ENDS = {
    EndReason.FINISHED: "the program finished",
    EndReason.FAILED: "the program failed",
    EndReason.INTERRUPTED: "the cloud took the machine back",
    EndReason.LOST: "the machine was lost",
    EndReason.NO_CAPACITY: "the cloud had no capacity after all",
    EndReason.BOOT_TIMEOUT: "the machine never reported",
    EndReason.CANCELLED: "cancelled",
    EndReason.OVER_BUDGET: "the budget is used up",
    EndReason.OVER_TIME: "the time is used up",
}


def narrate(before: JobRecord | None, after: JobRecord) -> Iterator[str]:
    """One line per event."""
    old = {attempt.number: attempt for attempt in before.attempts} if before else {}
    seen = set(before.refusals) if before else set[Refusal]()
    for row in after.refusals:
        if row not in seen and row.code not in set(EndReason):
            yield f"{row.instance_type} in {row.zone or row.region}, {row.capacity_type}: refused ({row.code})"
    for attempt in after.attempts:
        yield from attempt_events(old.get(attempt.number), attempt)
    if after.next_try_at and (before is None or before.next_try_at != after.next_try_at):
        yield f"no capacity; next try at {after.next_try_at:%H:%M:%S} UTC"
    if after.checkpoint and (before is None or before.checkpoint != after.checkpoint):
        yield f"checkpoint {after.checkpoint.sequence}: {files(after.checkpoint.files)}, {size(after.checkpoint.bytes)}"
    if after.outcome and (before is None or before.outcome is None):
        yield after.outcome.message


def files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def led_by(reason: str, record: JobRecord) -> str:
    """Another process has the job, until its lease ends or it renews it."""
    return f"{reason}, until {record.lease.until:%H:%M:%S} UTC or longer" if record.lease else reason


def last_words(before: JobRecord | None, after: JobRecord) -> Iterator[str]:
    """Of a program that failed, once the job's outcome is known; for who has not seen them pass."""
    if after.outcome and (before is None or before.outcome is None):
        yield from (f"| {line}" for line in after.outcome.last_lines)


def attempt_events(before: Attempt | None, after: Attempt) -> Iterator[str]:
    name = f"attempt {after.number}"
    offering = after.offering
    if offering and (before is None or before.offering is None):
        price = "price unknown" if offering.price_per_hour is None else f"{money(offering.price_per_hour)}/h"
        machine = after.nodes[0].instance_id
        yield f"{name}: {offering.instance_type} in {offering.zone}, {offering.capacity_type}, {price} ({machine})"
    if after.state is AttemptState.RUNNING and (before is None or before.state is not AttemptState.RUNNING):
        yield f"{name}: the program runs"
    if after.taken_at and after.state is not AttemptState.ENDED and (before is None or before.taken_at is None):
        yield f"{name}: the cloud takes the machine back at {after.taken_at:%H:%M:%S} UTC; the program saves"
    if after.stop_asked_at and (before is None or before.stop_asked_at is None):
        yield f"{name}: asked to stop and save"
    if (
        after.end_reason
        and after.state is AttemptState.ENDED
        and (before is None or before.state != AttemptState.ENDED)
    ):
        lost = f", {span(after.work_lost)} of work lost" if after.work_lost else ""
        how = after.message if after.end_reason is EndReason.FAILED and after.message else ENDS[after.end_reason]
        yield f"{name}: {how}{lost}"
