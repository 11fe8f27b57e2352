"""accelctl adopt."""

from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.domain.pending import Pending

BY_HAND = "look for them in the cloud; 'pulumi refresh --clear-pending-creates' forgets what is not there."


@click.command(short_help="Give a Pulumi stack what a killed 'pulumi up' was making.")
@click.argument("stack")
@output_option
def command(stack: str, form: str) -> None:
    """Write into the stack's state what a killed 'pulumi up' was making, so that the next one makes nothing twice.

    Run it where the project is, after 'pulumi cancel'. A killed or refused 'adopt' is run again.

    \b
    accelctl adopt aws-p5
    """
    from provisioner.adoption.adopt import adopt
    from provisioner.cli.engine import Pulumi
    from provisioner.clouds.registry import pending_finder
    from provisioner.errors import ConfigError

    waiting, ids = adopt(Pulumi(stack), pending_finder)
    tell(waiting, ids, form)
    if unsure := [f"{one.type} {one.name}" for one in waiting if one.urn not in ids]:
        raise ConfigError(f"nobody can tell whether these were made: {', '.join(unsure)}.", hint=BY_HAND)


def tell(waiting: "list[Pending]", ids: dict[str, str], form: str) -> None:
    rows = [(one.type, one.name, ids[one.urn]) for one in waiting if one.urn in ids]
    if form == OutputFormat.JSON:
        return output.document({"adopted": [dict(zip(("type", "name", "id"), row, strict=True)) for row in rows]})
    if not waiting:
        return output.note("nothing is pending in this stack")
    return output.data(output.table(("TYPE", "NAME", "ID"), [(*row[:2], row[2] or "-") for row in rows]))
