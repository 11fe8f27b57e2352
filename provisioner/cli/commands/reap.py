"""accelctl reap."""

import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import output
from provisioner.cli.options import cloud_option, output_option, yes_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.errors import Interrupted
    from provisioner.reaper.round import Round, Rounds
    from provisioner.reaper.sweep import Swept
    from provisioner.workplace import Workplace


SCOPES = {"owned": "accelctl", "accelctl": "accelctl", "account": "account"}
"""As the command and as the setting say it."""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Look for idle, orphaned and overdue machines; with --apply, send them home.")
@click.option("--apply", is_flag=True, help="Mark what is idle; end what was marked and had its grace.")
@click.option("--region", "regions", multiple=True, help="Only this region; may be repeated.")
@click.option("--scope", type=click.Choice([*SCOPES]), help="With account, others' accelerators too, never ended.")
@click.option("--config", "own", type=FILE, help="Settings of this file, such as thresholds.")
@cloud_option
@yes_option
@click.option("--summary", is_flag=True, help="What the rounds of the last seven days did, and nothing else.")
@output_option
def command(
    apply: bool, regions: tuple[str, ...], scope: str | None, own: Path | None, cloud: str | None, yes: bool,
    summary: bool, form: str,
) -> None:  # fmt: skip
    """One run over the machines that accelctl made: verdict, reason and action of each. Changes nothing by itself.

    With --apply the plan is shown and asked about; a timer, where nobody can answer, says --yes.

    \b
    accelctl reap
    accelctl reap --apply --yes
    accelctl reap --summary
    """
    from provisioner.cli.regions import looked_at
    from provisioner.workplace import STORELESS

    place = workplace(own, scope=SCOPES.get(scope or ""), cloud=cloud)
    if summary:
        if apply or regions or scope:
            raise click.UsageError("--summary looks at nothing: it goes with --output alone.")
        return summarise(place, form)
    if apply and not yes:
        refuse_unheard()
    if not place.cloud.job_store():
        output.note(STORELESS)
    plan = None if apply and yes else rounds(place).run(looked_at(place, regions), apply=False)
    if plan and not (apply and plan.changes):
        tell(plan, form, apply=apply)
        if apply:
            output.note("there is nothing to do.")
        return complain(plan)
    if plan and not agreed(plan):
        return output.note("nothing was changed.")
    with heeding_ctrl_c() as stopped:
        acting = rounds(place, enough=stopped.is_set, remembers=True)
        done = acting.run(looked_at(place, regions), apply=True, agreed=plan)
    tell(done, form, apply=True)
    if stopped.is_set():
        raise interrupted(done)
    return complain(done)


def workplace(own: Path | None, **flags: str | None) -> "Workplace":
    """What a flag says goes before what its file says. Raises ConfigError for a file that is no settings."""
    from provisioner.settings import layer
    from provisioner.workplace import Workplace

    held = layer(own)[1] if own else {}
    return Workplace(held | {name: value for name, value in flags.items() if value})


def rounds(place: "Workplace", **more: Any) -> "Rounds":
    from provisioner.cli.stepping import tell

    return place.rounds(uuid.uuid4().hex[:8], tell=tell, **more)


def refuse_unheard() -> None:
    """Raises ConfigError where nobody can answer, before anything is looked at."""
    from provisioner.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError(
            "nobody is there to confirm; nothing was changed.",
            hint="'accelctl reap' shows the plan, and --yes confirms it, as in a timer.",
        )


def agreed(plan: "Round") -> bool:
    show(plan, output.note, apply=True)
    return click.confirm("do this?", err=True)


def tell(done: "Round", form: str, *, apply: bool) -> None:
    from provisioner.reaper.view import round_document

    if form == OutputFormat.JSON:
        output.document(round_document(done))
    else:
        show(done, output.data, apply=apply)


@contextmanager
def heeding_ctrl_c() -> Generator[threading.Event]:
    """The first one ends the run after what is under way, and the report tells; the next one leaves at once."""
    stopped = threading.Event()

    def first(_number: int, _frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(2, b"stopping after what is under way; Ctrl-C again leaves at once\n")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted(done: "Round") -> "Interrupted":
    from provisioner.errors import Interrupted

    acted = sum(one.outcome == "done" for one in done.report.machines)
    return Interrupted(
        f"interrupted: {acted} machine(s) were marked or ended, {len(done.report.not_reached)} were left as they are.",
        hint="run it again; it goes on with the dearest, and does nothing twice.",
    )


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


def show(done: "Round", say: Callable[[str], None], *, apply: bool) -> None:
    report = done.report
    rows = [
        (one.machine.instance.id, one.machine.instance.instance_type, one.machine.instance.region,
         one.decision.verdict, acted(one), output.money(one.decision.saves_per_day), one.why or one.decision.reason)
        for one in report.machines
    ]  # fmt: skip
    heads = ("MACHINE", "TYPE", "REGION", "VERDICT", "ACTION", "SAVES A DAY", "WHY")
    say(output.table(heads, rows) if rows else "no machine of ours is there")
    for one in done.others:
        price = f" ({output.money(one.price_per_hour)} an hour at most)" if one.price_per_hour else ""
        say(f"{one.kind} {one.id}: {one.action}{price}, {one.reason}")
    for one in report.told:
        say(f"owner '{one.owner}' was {'told' if not one.why else f'not told: {one.why}'}")
    if not apply and done.changes:
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
