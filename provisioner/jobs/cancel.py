"""Asking a job to stop: a word in its record that whoever steps it next obeys."""

from dataclasses import replace
from datetime import datetime

from provisioner.domain.jobs import JobRecord
from provisioner.errors import CloudUnavailable
from provisioner.jobs.records import LostRace, Records

TRIES = 20


def ask_to_cancel(records: Records, job: str, now: datetime) -> JobRecord:
    """Idempotent; a job that is over stays as it is. Raises CloudUnavailable where the record never stands still."""
    for _ in range(TRIES):
        held = records.read(job)
        if held.record.ended_at is not None or held.record.cancel_asked_at is not None:
            return held.record
        try:
            return records.write(held, replace(held.record, cancel_asked_at=now)).record
        except LostRace:
            continue
    raise CloudUnavailable(f"the record of job '{job}' changes too fast to be written.", hint="try again in a moment.")
