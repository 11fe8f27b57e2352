"""accelctl teardown."""

import click

from provisioner.cli import output
from provisioner.cli.options import output_option, yes_option


@click.command(short_help="Remove what belongs to a job, or everything, and prove it.")
@click.argument("job", required=False)
@click.option("--owner", default="", help="What carries this owner.")
@click.option("--label", "marks", multiple=True, metavar="KEY=VALUE", help="What carries this label; may be repeated.")
@click.option("--everything", is_flag=True, help="Everything that accelctl made in this account.")
@click.option("--include-stacks", is_flag=True, help="With --everything: 'pulumi destroy' of every stack, from here.")
@click.option("--with-data", is_flag=True, help="Records and checkpoints too; with --everything the bucket.")
@yes_option
@output_option
def command(
    job: str | None,
    owner: str,
    marks: tuple[str, ...],
    everything: bool,
    include_stacks: bool,
    with_data: bool,
    yes: bool,
    form: str,
) -> None:
    """Remove what belongs to a job, an owner or a label, or everything; list what is left and say zero, or exit 5.

    A region that cannot be looked at stops nothing elsewhere: it is named, and the end is exit 5.

    \b
    accelctl teardown --everything
    """
    from provisioner.cli.regions import say_narrowed
    from provisioner.cli.removal import agreed, ended, planned, removed, show
    from provisioner.cli.selection import selected
    from provisioner.cli.torn import say
    from provisioner.errors import ConfigError
    from provisioner.workplace import Workplace

    if include_stacks and not everything:
        raise ConfigError("--include-stacks goes with --everything.", hint="'pulumi destroy' removes a single stack.")
    place = Workplace()
    selection = selected(place, job=job or "", owner=owner, marks=marks, everything=everything)
    say_narrowed(place)
    plan = planned(place, selection, include_stacks=include_stacks, with_data=with_data)
    show(plan)
    if not agreed(plan, yes=yes):
        return output.note("nothing was changed.")
    failed = ended(place, plan)
    return say(place, plan, removed(place, plan, failed), form=form)
