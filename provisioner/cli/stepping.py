"""One step for a job, with what goes wrong told rather than raised: one job never stops the others."""

from provisioner.cli import output
from provisioner.cli.narrate import narrate
from provisioner.domain.jobs import JobRecord
from provisioner.errors import AccelctlError
from provisioner.workplace import Workplace


def step_once(place: Workplace, record: JobRecord) -> JobRecord:
    """The record after the step; as it was where the cloud did not answer."""
    try:
        stepped = place.stepper.step(record.id)
        place.stepper.release(record.id)
    except AccelctlError as failure:
        output.warn(f"job {record.id}: {failure.message}")
        return record
    tell(record, stepped.record)
    return stepped.record


def tell(before: JobRecord, after: JobRecord) -> None:
    for line in narrate(before, after):
        output.note(f"{before.id}: {line}")
