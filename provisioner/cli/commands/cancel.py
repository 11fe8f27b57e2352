"""accelctl cancel."""

import sys

import click

from provisioner.cli import output
from provisioner.cli.options import yes_option


@click.command(short_help="Stop a job and keep its checkpoint.")
@click.argument("job")
@yes_option
def command(job: str, yes: bool) -> None:
    """Stop a job and keep its checkpoint; wait until nothing of it runs.

    \b
    accelctl cancel 20261120-224501-x7k2m
    """
    from provisioner.cli.watch import Watch
    from provisioner.errors import ConfigError
    from provisioner.jobs.cancel import ask_to_cancel
    from provisioner.workplace import Workplace

    place = Workplace()
    record = place.records.find_one(job)
    if record.ended_at is not None:
        return output.note(f"job '{record.id}' is over already ({record.state}); nothing is left running.")
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("nobody is there to confirm; nothing was changed.", hint="--yes confirms it.")
        if not click.confirm(f"stop job '{record.id}' ({record.spec.name})? what it saved is kept", err=True):
            return output.note("nothing was changed.")
    record = ask_to_cancel(place.records, record.id, place.clock.now())
    if record.ended_at is None and record.attempt:
        grace = output.span(record.spec.pace.stop_grace)
        output.note(f"job '{record.id}' is asked to stop: its program has {grace} to save, before its machine goes")
    watch = Watch(place, record.id, show_output=False, seen=record)
    ended = watch.until_done(until=lambda now: now.ended_at is not None)
    output.note(f"job '{ended.id}' is over ({ended.state}); nothing is left running.")
    return None
