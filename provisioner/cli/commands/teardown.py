"""accelctl teardown."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import output_option, yes_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.cli.selection import Selection
    from provisioner.cli.stays import Stays
    from provisioner.domain.jobs import JobRecord
    from provisioner.domain.leftovers import Leftover
    from provisioner.errors import AccelctlError, TeardownIncomplete
    from provisioner.teardown.execute import Item
    from provisioner.teardown.jobs import Jobs
    from provisioner.workplace import Workplace


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
    from provisioner.cli.regions import say_narrowed, say_unseen
    from provisioner.cli.selection import selected
    from provisioner.cli.stays import Stays, say_prepaid, say_stacks, staying
    from provisioner.clouds.regions import collected
    from provisioner.errors import ConfigError
    from provisioner.jobs.objects import open_objects
    from provisioner.teardown.execute import plan
    from provisioner.teardown.jobs import Jobs
    from provisioner.workplace import Workplace

    if include_stacks and not everything:
        raise ConfigError("--include-stacks goes with --everything.", hint="'pulumi destroy' removes a single stack.")
    place = Workplace()
    selection = selected(place, job=job or "", owner=owner, marks=marks, everything=everything)
    say_narrowed(place)
    there = plan(place.cloud, job=selection.job, data=with_data, chosen=selection.chosen)
    jobs = Jobs(place.objects if place.cloud.job_store() else open_objects("memory://"), selection.of)
    kept = jobs.shown if with_data else []
    stacks = dict(place.cloud.stacks(beside=there.unseen)) if everything else {}
    say_stacks(stacks, include=include_stacks)
    paid, blind = collected(place.cloud.prepaid(job=selection.job, beside=there.unseen))
    paid = staying([one for one in paid if selection.carried(one.labels)], include_stacks=include_stacks)
    say_prepaid(paid)
    say_unseen({**there.unseen, **blind})
    if there.items or kept or (stacks and include_stacks) or jobs.open:
        if not agreed(there.items, kept, everything=everything, yes=yes):
            return output.note("nothing was changed.")
    else:
        output.note("nothing is there" + (" as far as can be seen" if there.unseen else ""))
    jobs.end(place.clock.now())
    let_save(place, jobs.running(there.unseen))
    failed = [why for stack in (stacks if include_stacks else ()) if (why := destroy(stack))]
    left_to_pulumi = dict(place.cloud.stacks(beside=there.unseen)) if stacks else {}
    stays = Stays(stacks=left_to_pulumi, prepaid=paid, unseen=blind, failed=failed)
    return remove(place, selection, jobs, with_data=with_data, form=form, stays=stays)


def destroy(stack: str) -> "TeardownIncomplete | None":
    """Why the stack is left: Pulumi is missing, or does not know it from here. It stops nothing else."""
    from provisioner.cli.engine import Pulumi
    from provisioner.errors import ConfigError, TeardownIncomplete

    try:
        Pulumi(stack).destroy()
    except ConfigError as refusal:
        return TeardownIncomplete(f"stack '{stack}' is left: {refusal.message}", hint=refusal.hint)
    return None


def agreed(items: Sequence["Leftover"], kept: "Sequence[JobRecord]", *, everything: bool, yes: bool) -> bool:
    """Shows the plan and asks. Raises ConfigError where nobody can answer."""
    from provisioner.errors import ConfigError

    rows = [(i.kind, i.id, i.region, i.state or "-", output.money(i.price_per_hour)) for i in items]
    rows += [("record and checkpoints", one.id, one.store_region, one.state, "-") for one in kept]
    headers = ("KIND", "ID", "REGION", "STATE", "PER HOUR, AT MOST")
    output.note(output.table(headers, rows) if rows else "no machines; the job is closed")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to confirm; nothing was changed.", hint="--yes confirms the plan.")
    return click.confirm(f"remove {'all of these' if everything else 'these'}?", err=True)


def remove(
    place: "Workplace", selection: "Selection", jobs: "Jobs", *, with_data: bool, form: str, stays: "Stays"
) -> None:
    """Machines first, then the jobs' records are closed, then (with data) what they keep. Raises TeardownIncomplete."""
    from provisioner.cli.torn import incomplete, whole
    from provisioner.teardown.execute import until_gone

    done: list[Item] = []

    def tell(item: "Item") -> None:
        done.append(item)
        reason = f" ({item.reason})" if item.reason else ""
        output.note(f"{item.result} {item.leftover.kind} {item.leftover.id}{reason}")

    left = until_gone(place.cloud, place.clock, job=selection.job, tell=tell, chosen=selection.chosen)
    close(place, jobs, left.unseen)
    left = replace(left, items=(*left.items, *jobs.begun()))
    with_data = with_data and left.nothing and not stays.failed
    if with_data:
        jobs.forget(everything=selection.everything)
    if with_data and selection.everything:
        left = until_gone(place.cloud, place.clock, data=True, tell=tell)
    if form == OutputFormat.JSON:
        output.document(whole(done, left, stays))
    if not left.nothing or stays.unseen or stays.failed:
        raise incomplete(left, stays)
    output.note("nothing is left" + stays.words)
    if selection.everything and not with_data and (store := place.cloud.job_store()):
        more = "" if stays.stacks else "; --with-data removes it"
        output.note(f"kept: {store.url} with records and checkpoints{more}")


def let_save(place: "Workplace", running: "Sequence[JobRecord]") -> None:
    """What runs gets what `cancel` gives it; where that is refused, its machine is ended like everything else."""
    from provisioner.errors import CloudError

    if running:
        grace = output.span(max(one.spec.pace.stop_grace for one in running))
        names = ", ".join(one.id for one in running)
        output.note(f"asked to stop, with {grace} for the program to save: {names}")
    for record in running:
        try:
            end_of(place, record)
        except CloudError as refusal:
            output.warn(f"job {record.id} does not end by itself: {refusal.message}")


def close(place: "Workplace", jobs: "Jobs", unseen: "Mapping[str, AccelctlError]") -> None:
    """Steps jobs whose machines are gone until their records say so; what nobody can see of a job keeps it open."""
    closing, hidden = jobs.closing(unseen)
    for record in hidden:
        output.warn(f"job {record.id} stays open until all of it can be seen")
    for record in closing:
        now = place.records.read(record.id).record
        if now.ended_at is None:
            end_of(place, now)


def end_of(place: "Workplace", record: "JobRecord") -> None:
    """Steps the job until it is over; what the record holds is not told again. Raises Interrupted at Ctrl-C."""
    from provisioner.cli.watch import Left, Watch
    from provisioner.errors import Interrupted

    watch = Watch(place, record.id, show_output=False, seen=record, named=True)
    try:
        watch.until_done(until=lambda now: now.ended_at is not None)
    except Left:
        what = f"left half way: job {record.id} is asked to stop, and nobody has looked what is left."
        raise Interrupted(what, hint="the same teardown goes on from here.") from None
