"""One step for a job, with what goes wrong told rather than raised: one job never stops the others."""

from provisioner.cli import output
from provisioner.cli.narrate import narrate
from provisioner.cli.workplace import Workplace
from provisioner.domain.jobs import JobRecord
from provisioner.errors import CloudError


def step_once(place: Workplace, record: JobRecord) -> JobRecord:
    """The record after the step; as it was where the cloud did not answer."""
    try:
        stepped = place.stepper.step(record.id)
        place.stepper.release(record.id)
    except CloudError as failure:
        output.warn(f"job {record.id}: {failure.message}")
        return record
    for line in narrate(record, stepped.record):
        output.note(f"{record.id}: {line}")
    return stepped.record
