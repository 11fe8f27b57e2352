"""accelctl setup."""

from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import cloud_option, output_option
from provisioner.cli.output import OutputFormat
from provisioner.domain.offerings import WayKind

if TYPE_CHECKING:
    from provisioner.clouds.base import Prepared


@click.command(short_help="Make, once per region, what jobs need.")
@cloud_option
@click.option("--region", help="Which region; the credentials' own by default.")
@click.option(
    "--way", type=click.Choice([way.value for way in WayKind]), help="How machines reach the store; free by default."
)
@click.option("--stepper", is_flag=True, help="Install a timer that steps jobs, or print the line for cron.")
@output_option
def command(cloud: str | None, region: str | None, way: str | None, stepper: bool, form: str) -> None:
    """Make, once per region, what jobs need: bucket, permissions boundary, network. Idempotent and labelled.

    \b
    accelctl setup --cloud aws --region us-east-1
    """
    from provisioner.catalog.labels import JOB
    from provisioner.cli.regions import refuse_unknown
    from provisioner.cli.rules import refuse_region
    from provisioner.workplace import Workplace

    if stepper:
        from provisioner.cli.steppers import install

        return install()
    place = Workplace({"cloud": cloud, "region": region, "way": way})
    home = place.settings["region"] or place.cloud.default_region()
    refuse_region(place.settings, home, place.clock.now())
    refuse_unknown(place.cloud, regions=(home,))
    things = place.cloud.prepare(home, way=place.settings["way"])
    for one in place.cloud.beside_machines(home):
        if one.price_per_hour and JOB not in one.labels:
            price = output.money(one.price_per_hour)
            output.note(
                f"{one.kind} {one.id} costs {price} an hour while it is there; teardown --everything removes it"
            )
    if form == OutputFormat.JSON:
        return output.document({"region": home, "things": list(things)})
    rows = [(thing.kind, thing.id, thing.region, state(thing)) for thing in things]
    return output.data(output.table(("KIND", "ID", "REGION", "STATE"), rows))


def state(thing: "Prepared") -> str:
    """Whose it is where it was there."""
    if thing.made:
        return "made"
    if thing.stack:
        return f"of the stack '{thing.stack}'"
    return "updated" if thing.updated else "was there"
