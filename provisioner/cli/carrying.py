"""A job in the foreground, from its purchase to the last line that a person reads."""

from provisioner.catalog.tariffs import tariff
from provisioner.cli import output
from provisioner.cli.output import OutputFormat
from provisioner.cli.steppers import say_who_steps
from provisioner.cli.summary import summary
from provisioner.cli.watch import Detached, Watch
from provisioner.domain.jobs import AttemptState, JobRecord
from provisioner.jobs.view import job_document
from provisioner.workplace import Workplace


def carried(
    place: Workplace, record: JobRecord, *, form: OutputFormat, detach: bool, seen: JobRecord | None = None
) -> int:
    """To its end, or with `detach` to its purchase; the exit code of the contract. What `seen` holds is not told."""
    watch = Watch(place, record.id, show_output=form is OutputFormat.TABLE and not detach, seen=seen)
    try:
        record = watch.until_done(until=bought if detach else over)
    except Detached:
        say_who_steps(place)
        raise
    if not over(record):
        place.stepper.release(record.id)
        say_who_steps(place)
    return ended(place, record, form)


def over(record: JobRecord) -> bool:
    return record.ended_at is not None


def bought(record: JobRecord) -> bool:
    """Since it was last started: an attempt of before is over."""
    return over(record) or (
        len(record.attempts) > record.earlier and record.attempts[-1].state is not AttemptState.LAUNCHING
    )


def ended(place: Workplace, record: JobRecord, form: OutputFormat) -> int:
    cost = place.cost_so_far(record)
    if form is OutputFormat.JSON:
        output.document(job_document(record, cost))
    elif over(record):
        for line in summary(record, cost, place.kept_bytes(record), tariff()):
            output.data(line)
    else:
        output.data(record.id)
    if record.outcome is not None and record.outcome.exit_code:
        output.error(record.outcome.message + ".", record.outcome.hint)
    return record.outcome.exit_code if record.outcome else 0
