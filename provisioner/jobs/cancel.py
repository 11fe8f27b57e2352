"""Asking a job to stop: a word in its record that its machine obeys, and whoever steps it next."""

from dataclasses import replace
from datetime import datetime

from provisioner.domain.jobs import EndReason, JobRecord
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
            return records.write(held, cancelled(held.record, now)).record
        except LostRace:
            continue
    raise CloudUnavailable(f"the record of job '{job}' changes too fast to be written.", hint="try again in a moment.")


def cancelled(record: JobRecord, now: datetime) -> JobRecord:
    """With the machine's own orders: it stops also where nobody can step the job."""
    orders = replace(record.orders, run=False, reason=EndReason.CANCELLED)
    return replace(record, cancel_asked_at=now, orders=orders)
