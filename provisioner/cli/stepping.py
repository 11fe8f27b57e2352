"""One step for a job, with what goes wrong told rather than raised: one job never stops the others."""

from collections.abc import Callable
from contextlib import suppress

from provisioner.cli import output
from provisioner.cli.narrate import last_words, led_by, narrate
from provisioner.domain.jobs import JobRecord
from provisioner.errors import AccelctlError
from provisioner.jobs.lookouts import SEEN_WITHIN, newest_of
from provisioner.workplace import Workplace


def led(place: Workplace, record: JobRecord) -> bool:
    """Somebody steps it just now, or looks after it in particular."""
    now = place.clock.now()
    if record.lease is not None and record.lease.until > now:
        return True
    seen = newest_of(place.objects, record.id)
    return seen is not None and now - seen <= SEEN_WITHIN


def warned(record: JobRecord, failure: AccelctlError) -> None:
    output.warn(f"job {record.id}: {failure.message}")


def step_once(
    place: Workplace, record: JobRecord, *, refused: Callable[[JobRecord, AccelctlError], None] = warned
) -> JobRecord:
    """The record after the step; as it was where the step was refused. No lease is left, after Ctrl-C neither."""
    try:
        stepped = place.stepper.step(record.id)
    except AccelctlError as failure:
        refused(record, failure)
        return record
    finally:
        with suppress(AccelctlError):
            place.stepper.release(record.id)
    tell(record, stepped.record)
    if not stepped.mine:
        output.note(f"{record.id}: {led_by(stepped.decision.reason, stepped.record)}; not stepped")
    return stepped.record


def tell(before: JobRecord, after: JobRecord) -> None:
    for line in (*narrate(before, after), *last_words(before, after)):
        output.note(f"{before.id}: {line}")
