"""accelctl teardown."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import output_option, yes_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.cli.selection import Selection
    from provisioner.cli.stays import Stays
    from provisioner.clouds.base import Leftover
    from provisioner.domain.jobs import JobRecord
    from provisioner.errors import AccelctlError, TeardownIncomplete
    from provisioner.teardown.execute import Item, Listing
    from provisioner.workplace import Workplace

AGAIN = "run it again; it continues."


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
    from provisioner.clouds.regions import seen
    from provisioner.errors import ConfigError
    from provisioner.teardown.execute import plan
    from provisioner.workplace import Workplace

    if include_stacks and not everything:
        raise ConfigError("--include-stacks goes with --everything.", hint="'pulumi destroy' removes a single stack.")
    place = Workplace()
    selection = selected(place, job=job or "", owner=owner, marks=marks, everything=everything)
    say_narrowed(place)
    there = plan(place.cloud, job=selection.job, data=with_data, chosen=selection.chosen)
    jobs = chosen_jobs(place, selection)
    kept = [record for record in jobs if with_data]
    stacks = dict(place.cloud.stacks(beside=there.unseen)) if everything else {}
    say_stacks(stacks, include=include_stacks)
    paid, blind = seen(place.cloud.prepaid(job=selection.job, beside=there.unseen))
    paid = staying([one for one in paid if selection.carried(one.labels)], include_stacks=include_stacks)
    say_prepaid(paid)
    say_unseen({**there.unseen, **blind})
    if there.items or kept or (stacks and include_stacks) or any(record.ended_at is None for record in jobs):
        if not agreed(there.items, kept, everything=everything, yes=yes):
            return output.note("nothing was changed.")
    else:
        output.note("nothing is there" + (" as far as can be seen" if there.unseen else ""))
    end_jobs(place, jobs)
    failed = [why for stack in (stacks if include_stacks else ()) if (why := destroy(stack))]
    left_to_pulumi = dict(place.cloud.stacks(beside=there.unseen)) if stacks else {}
    stays = Stays(stacks=left_to_pulumi, prepaid=paid, unseen=blind, failed=failed)
    return remove(place, selection, with_data=with_data, form=form, stays=stays)


def destroy(stack: str) -> "TeardownIncomplete | None":
    """Why the stack is left: Pulumi is missing, or does not know it from here. It stops nothing else."""
    from provisioner.errors import TeardownIncomplete

    how = ["--yes", "--skip-preview", "--non-interactive", "--exclude-protected"]  # prepaid capacity stays
    command = ["pulumi", "destroy", *how, "--stack", stack]
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
    except FileNotFoundError:
        return TeardownIncomplete(f"stack '{stack}' is left: pulumi is not installed.", hint="'make pulumi' builds it.")
    if code:
        return TeardownIncomplete(
            f"stack '{stack}' is left: 'pulumi destroy' ended with {code}.", hint="run it in the stack's own folder."
        )
    return None


def chosen_jobs(place: "Workplace", selection: "Selection") -> "list[JobRecord]":
    return [one for one in place.records.all() if selection.of(one)] if place.cloud.job_store() else []


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


def end_jobs(place: "Workplace", jobs: "Sequence[JobRecord]") -> None:
    """No stepper may buy again what is about to go: the records say so first."""
    from provisioner.jobs.cancel import ask_to_cancel

    for record in jobs:
        if record.ended_at is None:
            ask_to_cancel(place.records, record.id, place.clock.now())


def remove(place: "Workplace", selection: "Selection", *, with_data: bool, form: str, stays: "Stays") -> None:
    """Machines first, then the jobs' records are closed, then (with data) what they keep. Raises TeardownIncomplete."""
    from provisioner.teardown.execute import until_gone

    done: list[Item] = []

    def tell(item: "Item") -> None:
        done.append(item)
        reason = f" ({item.reason})" if item.reason else ""
        output.note(f"{item.result} {item.leftover.kind} {item.leftover.id}{reason}")

    left = until_gone(place.cloud, place.clock, job=selection.job, tell=tell, chosen=selection.chosen)
    close_jobs(place, selection, left.unseen)
    with_data = with_data and left.nothing and not stays.failed
    if with_data:
        forget(place, selection)
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


def whole(done: "Sequence[Item]", left: "Listing", stays: "Stays") -> dict[str, object]:
    """The document of a run."""
    from provisioner.cli import stays as staying
    from provisioner.cli.regions import unseen_document

    return {
        "items": [document(item) for item in done], "left": [name(item) for item in left.items],
        "unseen": unseen_document({**left.unseen, **stays.unseen}),
        "stacks": [{"stack": stack, "things": count} for stack, count in stays.stacks.items()],
        "prepaid": [staying.document(one) for one in stays.prepaid],
    }  # fmt: skip


def incomplete(left: "Listing", stays: "Stays") -> "TeardownIncomplete":
    """What is left, and what nobody could look at."""
    from provisioner.errors import TeardownIncomplete, named

    names = [f"{name(item)} in {item.region}" for item in left.items]
    blind = [f"{named(region)} ({why.message.rstrip('.')})" for region, why in {**left.unseen, **stays.unseen}.items()]
    told = [f"left: {', '.join(names)}"] if names else []
    told += [f"could not be looked at: {', '.join(blind)}"] if blind else []
    told += [why.message.rstrip(".") for why in stays.failed]
    again = next((why.hint for why in stays.failed), AGAIN)
    hint = "run it again once that answers; until then nobody knows what is there." if blind else again
    return TeardownIncomplete(f"{'; '.join(told)}.", left=names, hint=hint)


def close_jobs(place: "Workplace", selection: "Selection", unseen: "Mapping[str, AccelctlError]") -> None:
    """Steps jobs whose machines are gone until their records say so; what nobody can see of a job keeps it open."""
    from provisioner.cli.watch import Watch
    from provisioner.clouds.base import NOWHERE
    from provisioner.jobs.observing import regions_of

    for record in chosen_jobs(place, selection):
        if record.ended_at is not None:
            continue
        if unseen.keys() & {*regions_of(record), NOWHERE}:
            output.warn(f"job {record.id} stays open until all of it can be seen")
        else:
            Watch(place, record.id, show_output=False).until_done(until=lambda now: now.ended_at is not None)


def forget(place: "Workplace", selection: "Selection") -> None:
    from provisioner.jobs import names
    from provisioner.jobs.records import STORE, prefix

    if place.cloud.job_store() is None:
        return
    gone = chosen_jobs(place, selection)
    for one in gone:
        names.forget(place.objects, one.spec.name, one.id)
    ours = (
        {f"{root}/": rest for root, rest in STORE.items()}
        if selection.everything
        else {prefix(one.id): ".+" for one in gone}
    )
    for start, rest in ours.items():
        for stored in place.objects.listing(start):
            if re.fullmatch(rest, stored.key.removeprefix(start)):
                place.objects.delete(stored.key)


def document(item: "Item") -> dict[str, object]:
    return {"kind": item.leftover.kind, "id": item.leftover.id, "region": item.leftover.region,
            "result": item.result, "reason": item.reason}  # fmt: skip


def name(leftover: "Leftover") -> str:
    return f"{leftover.kind} {leftover.id}"
