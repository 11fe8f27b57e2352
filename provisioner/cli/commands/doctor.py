"""accelctl doctor."""

import click

from provisioner.cli import output
from provisioner.cli.options import cloud_option, output_option
from provisioner.cli.output import OutputFormat


@click.command(short_help="What is installed, reachable and missing, and how to get it.")
@cloud_option
@output_option
def command(cloud: str | None, form: str) -> int:
    """What is installed, which credentials, quotas and settings are there, what is missing and how to get it.

    \b
    accelctl doctor
    """
    from provisioner.cli.checks import Health, checks
    from provisioner.workplace import Workplace

    found = list(checks(Workplace({"cloud": cloud})))
    if form == OutputFormat.JSON:
        output.document({"checks": found})
    else:
        rows = [(check.health, check.name, check.finding) for check in found]
        output.data(output.table(("", "CHECK", "FINDING"), rows))
        for check in found:
            if check.remedy:
                output.hint(f"{check.name}: {check.remedy}")
    broken = any(check.health is Health.MISSING for check in found)
    return 2 if broken else 0
