"""accelctl reap."""

import uuid
from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.reaper.round import Round, Rounds
    from provisioner.reaper.sweep import Swept
    from provisioner.workplace import Workplace


@click.command(short_help="Look for idle, orphaned and overdue machines; with --apply, send them home.")
@click.option("--apply", is_flag=True, help="Mark what is idle; end what was marked and had its grace.")
@click.option("--region", "regions", multiple=True, help="Only this region; may be repeated.")
@click.option("--scope", type=click.Choice(["accelctl", "account"]), help="Others' accelerators too, never ended.")
@output_option
def command(apply: bool, regions: tuple[str, ...], scope: str | None, form: str) -> None:
    """One run over the machines that accelctl made: verdict, reason and action of each. Changes nothing by itself.

    \b
    accelctl reap
    accelctl reap --apply
    """
    from provisioner.cli.preparing import refuse_unknown
    from provisioner.reaper.view import round_document
    from provisioner.workplace import Workplace

    place = Workplace({"scope": scope})
    chosen = refuse_unknown(place.cloud, regions=regions) or place.regions
    done = rounds(place).run(chosen, apply=apply)
    if form == OutputFormat.JSON:
        output.document(round_document(done))
    else:
        show(done, apply=apply)
    complain(done)


def rounds(place: "Workplace") -> "Rounds":
    from provisioner.cli.stepping import tell
    from provisioner.reaper.round import Rounds
    from provisioner.reaper.thresholds import configured
    from provisioner.settings import Scope

    said = place.settings.values["thresholds"]
    return Rounds(
        cloud=place.cloud, objects=place.objects, stepper=place.stepper, clock=place.clock,
        token=uuid.uuid4().hex[:8], tell=tell,
        everybodys=place.settings["scope"] is Scope.ACCOUNT, thresholds=configured(said.value or (), said.source),
    )  # fmt: skip


def show(done: "Round", *, apply: bool) -> None:
    report = done.report
    rows = [
        (one.machine.instance.id, one.machine.instance.instance_type, one.machine.instance.region,
         one.decision.verdict, acted(one), output.money(one.decision.saves_per_day), one.decision.reason)
        for one in report.machines
    ]  # fmt: skip
    heads = ("MACHINE", "TYPE", "REGION", "VERDICT", "ACTION", "SAVES A DAY", "WHY")
    output.data(output.table(heads, rows) if rows else "no machine of ours is there")
    for one in done.others:
        output.data(f"{one.kind} {one.id}: {one.action}, {one.reason}")
    if not apply and any(one.decision.action not in ("keep", "report") for one in report.machines):
        output.note("nothing was changed; 'accelctl reap --apply' acts.")


def acted(one: "Swept") -> str:
    return f"{one.decision.action}" if one.outcome == "planned" else f"{one.decision.action}: {one.outcome}"


def complain(done: "Round") -> None:
    """Raises CloudError where something could not be seen or done."""
    from provisioner.errors import CloudError

    for line in done.failed:
        output.warn(line)
    if done.failed:
        count = len(done.failed)
        raise CloudError(f"{count} of this run could not be done or seen.", hint="the others were; run it again.")
