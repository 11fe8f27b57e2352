"""One step for a job, with what goes wrong told rather than raised: one job never stops the others."""

from collections.abc import Callable
from datetime import datetime

from provisioner.cli import output
from provisioner.cli.narrate import narrate
from provisioner.domain.jobs import JobRecord
from provisioner.errors import AccelctlError
from provisioner.workplace import Workplace


def led(record: JobRecord, now: datetime) -> bool:
    """Somebody steps it just now."""
    return record.lease is not None and record.lease.until > now


def warned(record: JobRecord, failure: AccelctlError) -> None:
    output.warn(f"job {record.id}: {failure.message}")


def step_once(
    place: Workplace, record: JobRecord, *, refused: Callable[[JobRecord, AccelctlError], None] = warned
) -> JobRecord:
    """The record after the step; as it was where the step was refused."""
    try:
        stepped = place.stepper.step(record.id)
        place.stepper.release(record.id)
    except AccelctlError as failure:
        refused(record, failure)
        return record
    tell(record, stepped.record)
    return stepped.record


def tell(before: JobRecord, after: JobRecord) -> None:
    for line in narrate(before, after):
        output.note(f"{before.id}: {line}")
