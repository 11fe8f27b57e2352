"""accelctl resume."""

from datetime import timedelta
from decimal import Decimal

import click

from provisioner.cli.options import Duration, Usd, output_option, yes_option
from provisioner.cli.output import OutputFormat


@click.command(short_help="Continue a job that has ended from its checkpoint.")
@click.argument("job")
@click.option("--max-duration", type=Duration(), help="Machine time from now on.  [default: 24h]")
@click.option("--budget", type=Usd(), metavar="USD", help="Most from now on; needed where it was asked for with one.")
@click.option("--max-restarts", type=click.IntRange(0), help="How often a failed program is started again.")
@click.option("--detach", is_flag=True, help="Return once the machine is bought; a stepper carries on.")
@yes_option
@output_option
def command(
    job: str,
    max_duration: timedelta | None,
    budget: Decimal | None,
    max_restarts: int | None,
    detach: bool,
    yes: bool,
    form: str,
) -> int:
    """Continue a job that ran out of time, money or capacity, failed or was cancelled, from its newest checkpoint.

    \b
    accelctl resume 20261120-224501-x7k2m --max-duration 48h
    """
    from provisioner.cli.training import again
    from provisioner.settings import load

    flags = {"max_duration": max_duration, "budget": budget, "max_restarts": max_restarts}
    return again(job, load(flags), detach=detach, yes=yes, form=OutputFormat(form))
