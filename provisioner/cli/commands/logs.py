"""accelctl logs."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from provisioner.cli import output

if TYPE_CHECKING:
    from provisioner.domain.jobs import JobRecord
    from provisioner.workplace import Workplace

EVERY = timedelta(seconds=1)


@click.command(short_help="The program's output, over all attempts, in order.")
@click.argument("job")
@click.option("--follow", is_flag=True, help="Stay, step the job and print what comes until it is over.")
def command(job: str, follow: bool) -> None:
    """The program's output, over all attempts, in order.

    \b
    accelctl logs 20261120-224501-x7k2m --follow
    """
    from provisioner.cli.watch import Left
    from provisioner.workplace import Workplace

    place = Workplace()
    record = place.records.find(job)
    try:
        show(place, record, follow=follow)
    except KeyboardInterrupt:
        raise Left(record.id, record) from None


def show(place: "Workplace", record: "JobRecord", *, follow: bool) -> None:
    """Prints what there is; with `follow`, steps the job and prints what comes until it is over."""
    from provisioner.cli.stepping import step_once
    from provisioner.jobs.outputs import Output

    reader = Output(place.objects, record.id)
    over, looked_at, attempt = not follow, place.clock.now(), 0
    while True:
        if follow and place.clock.now() - looked_at >= record.spec.pace.poll_every:
            record, looked_at = step_once(place, record), place.clock.now()
        over = over or place.records.read(record.id).record.ended_at is not None
        for log, text in reader.new():
            if log.attempt != attempt and sys.stderr.isatty():
                output.note(f"--- attempt {log.attempt}")
            attempt = log.attempt
            output.raw([text])
        if over:
            return None if attempt else output.note(f"job '{record.id}' has no output")
        place.clock.sleep(EVERY)
