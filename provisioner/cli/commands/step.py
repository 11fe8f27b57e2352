"""accelctl step."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import Duration, output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.domain.jobs import JobRecord
    from provisioner.errors import AccelctlError
    from provisioner.workplace import Workplace


LEAST = timedelta(seconds=0.1)


@click.command(short_help="Take the next step for one or all jobs, as a scheduler does.")
@click.argument("job", required=False)
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C; with a JOB, until it is over.")
@click.option("--every", type=Duration(), default="10s", show_default=True, help="With --watch: between two rounds.")
@output_option
def command(job: str | None, watch: bool, every: timedelta, form: str) -> None:
    """Take the next step for one or all jobs and exit; no process has to stay alive between two steps.

    \b
    accelctl step --watch
    """
    from provisioner.workplace import Workplace

    place = Workplace()
    if job:
        job = place.records.find(job).id
    if every < LEAST:
        raise click.UsageError("--every: 0 is no pause; say 10s.")
    if watch:
        stay(place, job, every)
        return
    refused: list[str] = []
    show(place, one_round(place, job, refused), form)
    if refused:
        from provisioner.errors import CloudError

        raise CloudError(f"not stepped: {', '.join(refused)}.", hint="each says why above; the others were stepped.")


def show(place: "Workplace", records: "list[JobRecord]", form: str) -> None:
    if form == OutputFormat.JSON:
        from provisioner.jobs.view import job_document

        return output.document({"jobs": [job_document(record, place.cost_so_far(record)) for record in records]})
    for record in records:
        output.data(f"{record.id} {record.state}")
    return None


def one_round(place: "Workplace", job: str | None, refused: list[str]) -> "list[JobRecord]":
    """The records after it; the ids of those whose step was refused are added to `refused`."""
    from provisioner.cli.stepping import step_once, warned
    from provisioner.jobs.lookouts import mark
    from provisioner.workplace import holder

    mark(place.objects, place.clock.now(), holder=holder(), job=job or "")
    wanted = [place.records.read(job).record] if job else list(place.records.open())

    def told(record: "JobRecord", failure: "AccelctlError") -> None:
        warned(record, failure)
        refused.append(record.id)

    return [step_once(place, record, refused=told) for record in wanted]


def stay(place: "Workplace", job: str | None, every: timedelta) -> None:
    """Steps round after round until Ctrl-C, or until a named job is over. Raises Interrupted."""
    from provisioner.errors import AccelctlError, Interrupted
    from provisioner.jobs.lookouts import forget

    what = f"stepping {job} until it is over, or Ctrl-C" if job else "stepping jobs until Ctrl-C"
    output.note(f"{what}; jobs go on without it, but interrupted ones then wait")
    try:
        rounds(place, job, every)
    except KeyboardInterrupt:
        raise Interrupted(
            "nobody steps from here any more; jobs go on.",
            hint="interrupted ones wait for 'accelctl step --watch' or the timer of 'accelctl setup --stepper'.",
        ) from None
    finally:
        with suppress(AccelctlError):  # it ages, and nobody is misled for long
            forget(place.objects, job or "")


def rounds(place: "Workplace", job: str | None, every: timedelta) -> None:
    """One that fails is told, and the next one is tried."""
    from provisioner.errors import AccelctlError

    while True:
        try:
            records = one_round(place, job, [])
        except AccelctlError as failure:
            records = []
            output.warn(failure.message)
        if job and records and records[0].ended_at:
            return output.data(f"{records[0].id} {records[0].state}")
        place.clock.sleep(every)
