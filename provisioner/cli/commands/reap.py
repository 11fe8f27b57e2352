"""accelctl reap."""

import uuid
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.reaper.round import Round
    from provisioner.reaper.sweep import Swept
    from provisioner.workplace import Workplace


@click.command(short_help="Look for idle, orphaned and overdue machines; with --apply, send them home.")
@click.option("--apply", is_flag=True, help="Mark what is idle; end what was marked and had its grace.")
@click.option("--region", "regions", multiple=True, help="Only this region; may be repeated.")
@click.option("--scope", type=click.Choice(["accelctl", "account"]), help="Others' accelerators too, never ended.")
@click.option("--summary", is_flag=True, help="What the rounds of the last seven days did, and nothing else.")
@output_option
def command(apply: bool, regions: tuple[str, ...], scope: str | None, summary: bool, form: str) -> None:
    """One run over the machines that accelctl made: verdict, reason and action of each. Changes nothing by itself.

    \b
    accelctl reap
    accelctl reap --apply
    accelctl reap --summary
    """
    from provisioner.cli.regions import looked_at
    from provisioner.cli.stepping import tell
    from provisioner.reaper.view import round_document
    from provisioner.workplace import STORELESS, Workplace

    place = Workplace({"scope": scope})
    if summary:
        if apply or regions or scope:
            raise click.UsageError("--summary looks at nothing: it goes with --output alone.")
        summarise(place, form)
        return
    chosen = looked_at(place, regions)
    if not place.cloud.job_store():
        output.note(STORELESS)
    done = place.rounds(uuid.uuid4().hex[:8], tell=tell, remembers=apply).run(chosen, apply=apply)
    if form == OutputFormat.JSON:
        output.document(round_document(done))
    else:
        show(done, apply=apply)
    complain(done)


def summarise(place: "Workplace", form: str) -> None:
    """What the store holds of the week."""
    from provisioner.reaper.history import Histories
    from provisioner.reaper.week import week_document

    week = week_document(Histories(place.objects).read(), place.cloud.time())
    if form == OutputFormat.JSON:
        output.document(week)
    else:
        show_week(week)


def show_week(week: dict[str, Any]) -> None:
    rows = [
        (what, one["id"], one["instance_type"], one["region"], one["owner"], output.money(one["saves_per_day"]),
         f"{one['at']:%Y-%m-%d %H:%M}", one["reason"])
        for what in ("ended", "marked", "spared") for one in week[what]
    ]  # fmt: skip
    output.data(
        f"{week['rounds']} round(s) since {week['from']:%Y-%m-%d} ({week['rounds_failed']} with failures, "
        f"{week['rounds_unfinished']} more that began and never ended): "
        f"at most {week['seen']} machines seen, {week['unknown']} of them unknown"
    )
    if rows:
        output.data(output.table(("WHAT", "MACHINE", "TYPE", "REGION", "OWNER", "SAVES A DAY", "WHEN", "WHY"), rows))
    unpriced = f", not counting {week['unpriced']} of unknown price" if week["unpriced"] else ""
    output.data(f"saved so far: {output.money(week['saved'])}{unpriced}")
    if old := week["oldest_unknown"]:
        output.data(f"{old['id']} ({old['region']}) has been unknown since {old['since']:%Y-%m-%d %H:%M}")


def show(done: "Round", *, apply: bool) -> None:
    report = done.report
    rows = [
        (one.machine.instance.id, one.machine.instance.instance_type, one.machine.instance.region,
         one.decision.verdict, acted(one), output.money(one.decision.saves_per_day), one.why or one.decision.reason)
        for one in report.machines
    ]  # fmt: skip
    heads = ("MACHINE", "TYPE", "REGION", "VERDICT", "ACTION", "SAVES A DAY", "WHY")
    output.data(output.table(heads, rows) if rows else "no machine of ours is there")
    for one in done.others:
        price = f" ({output.money(one.price_per_hour)} an hour at most)" if one.price_per_hour else ""
        output.data(f"{one.kind} {one.id}: {one.action}{price}, {one.reason}")
    for one in report.told:
        output.data(f"owner '{one.owner}' was {'told' if not one.why else f'not told: {one.why}'}")
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
