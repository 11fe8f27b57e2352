"""accelctl reap."""

import uuid
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.cli.workplace import Workplace
    from provisioner.reaper.sweep import Report, Swept


@click.command(short_help="Look for idle, orphaned and overdue machines; with --apply, send them home.")
@click.option("--apply", is_flag=True, help="Mark what is idle; end what was marked and had its grace.")
@click.option("--region", "regions", multiple=True, help="Only this region; may be repeated.")
@output_option
def command(apply: bool, regions: tuple[str, ...], form: str) -> None:
    """One run over the machines that accelctl made: verdict, reason and action of each. Changes nothing by itself.

    \b
    accelctl reap
    accelctl reap --apply
    """
    from provisioner.cli.workplace import Workplace
    from provisioner.errors import ConfigError

    place = Workplace()
    known = sorted(place.cloud.prepared_regions())
    if unknown := set(regions) - set(known):
        raise ConfigError(f"--region: '{min(unknown)}' is not prepared.", hint=f"prepared: {', '.join(known)}.")
    report = swept(place, [one for one in known if not regions or one in regions], apply=apply)
    others = [*jobs_alone(place, apply=apply), *left_behind(place)]
    if form == OutputFormat.JSON:
        output.document(document(report) | {"others": others})
    else:
        show(report, others, apply=apply)
    complain(report)


def jobs_alone(place: "Workplace", *, apply: bool) -> list[dict[str, str]]:
    """Jobs that nobody looks after take their next step here."""
    from provisioner.cli.stepping import step_once

    now, found = place.clock.now(), list[dict[str, str]]()
    for record in place.records.all():
        led = record.lease is not None and record.lease.until > now
        if record.ended_at is not None or led:
            continue
        outcome = "done" if apply else "planned"
        if apply:
            step_once(place, record)
        found.append(other("job", record.id, "step", outcome, "nobody steps it just now"))
    return found


def left_behind(place: "Workplace") -> list[dict[str, str]]:
    """What carries the label of a job that is over: its teardown removes it."""
    from provisioner.catalog.labels import JOB

    live = {record.id for record in place.records.all() if record.ended_at is None}
    return [
        other(one.kind, one.id, "report", "planned", f"job {one.labels[JOB]} is over; 'accelctl teardown' removes it")
        for one in place.cloud.leftovers()
        if one.kind != "instance" and one.labels.get(JOB) and one.labels[JOB] not in live
    ]


def other(kind: str, id: str, action: str, outcome: str, reason: str) -> dict[str, str]:
    return {"kind": kind, "id": id, "action": action, "outcome": outcome, "reason": reason}


def swept(place: "Workplace", regions: list[str], *, apply: bool) -> "Report":
    """The run over the machines of these regions."""
    from provisioner.jobs.progress import Progress
    from provisioner.reaper.observe import Observer
    from provisioner.reaper.sweep import Sweeper
    from provisioner.reaper.thresholds import defaults

    thresholds = defaults()
    observer = Observer(
        cloud=place.cloud, records=place.records, progress=Progress(place.objects), thresholds=thresholds
    )
    sweeper = Sweeper(cloud=place.cloud, observer=observer, thresholds=thresholds, token=uuid.uuid4().hex[:8])
    return sweeper.run(regions, apply=apply)


def show(report: "Report", others: list[dict[str, str]], *, apply: bool) -> None:
    rows = [
        (one.machine.instance.id, one.machine.instance.instance_type, one.machine.instance.region,
         one.decision.verdict, acted(one), output.money(one.decision.saves_per_day), one.decision.reason)
        for one in report.machines
    ]  # fmt: skip
    heads = ("MACHINE", "TYPE", "REGION", "VERDICT", "ACTION", "SAVES A DAY", "WHY")
    output.data(output.table(heads, rows) if rows else "no machine of ours is there")
    for one in others:
        output.data(f"{one['kind']} {one['id']}: {one['action']}, {one['reason']}")
    if not apply and any(one.decision.action not in ("keep", "report") for one in report.machines):
        output.note("nothing was changed; 'accelctl reap --apply' acts.")


def acted(one: "Swept") -> str:
    return f"{one.decision.action}" if one.outcome == "planned" else f"{one.decision.action}: {one.outcome}"


def complain(report: "Report") -> None:
    """Raises CloudError where something could not be seen or done."""
    from provisioner.errors import CloudError

    told = [f"{one.machine.instance.id}: {one.why}" for one in report.failed]
    told += [f"{one.region}: {one.reason}" for one in report.blind]
    if told:
        for line in told:
            output.warn(line)
        raise CloudError(f"{len(told)} of this run could not be done or seen.", hint="the others were; run it again.")


def document(report: "Report") -> dict[str, Any]:
    return {
        "machines": [machine_document(one) for one in report.machines],
        "blind": [{"region": one.region, "reason": one.reason} for one in report.blind],
        "summary": summary(report),
    }  # fmt: skip


def machine_document(one: "Swept") -> dict[str, Any]:
    instance, decision = one.machine.instance, one.decision
    return {
        "cloud": instance.cloud, "region": instance.region, "id": instance.id,
        "instance_type": instance.instance_type, "verdict": decision.verdict, "action": decision.action,
        "outcome": one.outcome, "reason": one.why or decision.reason, "price_per_hour": one.machine.price_per_hour,
        "not_before": decision.not_before, "saves_per_day": decision.saves_per_day, "loses": list(decision.loses),
        "evidence": decision.evidence,
    }  # fmt: skip


def summary(report: "Report") -> dict[str, Any]:
    from provisioner.reaper.activity import Verdict

    verdicts = [one.decision.verdict for one in report.machines]
    ended = [one for one in report.machines if one.decision.action in ("stop", "terminate") and one.outcome == "done"]
    return {
        "seen": len(verdicts), **{kind: verdicts.count(kind) for kind in Verdict},
        "acted": sum(one.outcome == "done" for one in report.machines), "failed": len(report.failed),
        "saved_per_day": sum((one.decision.saves_per_day or 0) for one in ended),
    }  # fmt: skip
