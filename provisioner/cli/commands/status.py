"""accelctl status."""

import sys

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

RECENT = 20
"""Each record is read on its own: a store of a year's jobs would take minutes."""


@click.command(short_help="Jobs and attempts: where each runs, progress, cost so far.")
@click.argument("job", required=False)
@click.option("--all", "every", is_flag=True, help=f"Older jobs too: without it the active ones and {RECENT} newest.")
@click.option("--no-step", is_flag=True, help="Only look; do not take the next step of active jobs.")
@output_option
def command(job: str | None, every: bool, no_step: bool, form: str) -> None:
    """Jobs and attempts: where each runs, progress, cost so far.

    \b
    accelctl status
    """
    from provisioner.cli.steppers import say_who_steps
    from provisioner.cli.stepping import led, step_once
    from provisioner.jobs.view import job_document
    from provisioner.workplace import Workplace

    place = Workplace()
    records, older = ([place.records.find(job)], 0) if job else place.records.recent(sys.maxsize if every else RECENT)
    alone = any(not one.ended_at and not led(place, one) for one in records)
    if not no_step:
        records = [record if record.ended_at else step_once(place, record) for record in records]
    totals = [place.cost_so_far(record) for record in records]
    if alone and any(record.ended_at is None for record in records):
        say_who_steps(place)
    if older:
        output.note(f"{older} older jobs are not shown: 'accelctl status --all'.")
    if form == OutputFormat.JSON:
        documents = [job_document(record, total) for record, total in zip(records, totals, strict=True)]
        return output.document({"jobs": documents})
    if not records:
        return output.note("there is no job yet; 'accelctl spot-train' starts one.")
    from provisioner.cli.jobs_table import attempts_table, jobs_table, refusals_table
    from provisioner.cli.narrate import last_words

    output.data(jobs_table(records, totals))
    if job:
        output.data("")
        output.data(attempts_table(records[0]))
        if refused := "" if records[0].ended_at else refusals_table(records[0]):
            output.data("")
            output.data(refused)
        for line in last_words(None, records[0]):
            output.data(line)
    return None
