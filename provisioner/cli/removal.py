"""A teardown: what is there is planned and shown, asked about, ended and removed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import click

from provisioner.cli import output
from provisioner.cli.engine import Pulumi
from provisioner.cli.regions import say_unseen
from provisioner.cli.saving import end_of, let_save
from provisioner.cli.selection import Selection
from provisioner.cli.stays import Stays, by_stack, say_prepaid, say_stacks, staying
from provisioner.clouds.regions import collected
from provisioner.domain.estate import Owned
from provisioner.domain.jobs import JobRecord
from provisioner.domain.leftovers import Prepaid
from provisioner.errors import AccelctlError, ConfigError, TeardownIncomplete
from provisioner.jobs.objects import open_objects
from provisioner.teardown.execute import Item, Listing, plan, until_gone
from provisioner.teardown.jobs import Jobs
from provisioner.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a teardown is about. `blind` says why of regions whose stacks or prepaid capacity are not known."""

    selection: Selection
    jobs: Jobs
    there: Listing = field(default_factory=Listing)
    stacks: Mapping[str, Owned] = field(default_factory=dict[str, Owned])
    prepaid: Sequence[Prepaid] = ()
    blind: Mapping[str, AccelctlError] = field(default_factory=dict[str, AccelctlError])
    include_stacks: bool = False
    with_data: bool = False

    @property
    def kept(self) -> Sequence[JobRecord]:
        """Jobs of which the store forgets everything."""
        return self.jobs.shown if self.with_data else []

    @property
    def empty(self) -> bool:
        return not (self.there.items or self.kept or self.jobs.open or (self.stacks and self.include_stacks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What became of it."""

    done: Sequence[Item]
    left: Listing
    stays: Stays
    data: bool
    """Records and checkpoints went too."""


def planned(place: Workplace, selection: Selection, *, include_stacks: bool, with_data: bool) -> Plan:
    """What can be seen of all that was chosen."""
    there = plan(place.cloud, job=selection.job, data=with_data, chosen=selection.chosen)
    jobs = Jobs(place.objects if place.cloud.job_store() else open_objects("memory://"), selection.of)
    stacks, unasked = stacks_of(place, selection, there.unseen)
    prepaid, unsold = collected(place.cloud.prepaid(job=selection.job, beside=there.unseen))
    chosen = [one for one in prepaid if selection.carried(one.labels)]
    return Plan(
        selection=selection, jobs=jobs, there=there, stacks=stacks, blind={**unasked, **unsold},
        prepaid=staying(chosen, include_stacks=include_stacks), include_stacks=include_stacks, with_data=with_data,
    )  # fmt: skip


def stacks_of(
    place: Workplace, selection: Selection, beside: Mapping[str, AccelctlError]
) -> tuple[Mapping[str, Owned], Mapping[str, AccelctlError]]:
    """What stacks own of what was chosen, and where nobody can tell. What a job has is no stack's."""
    if selection.job:
        return {}, {}
    found, unseen = collected(place.cloud.stacks(beside=beside))
    return by_stack([one for one in found if selection.carried(one.labels)]), unseen


def show(plan: Plan) -> None:
    say_stacks(plan.stacks, include=plan.include_stacks)
    say_prepaid(plan.prepaid)
    say_unseen({**plan.there.unseen, **plan.blind})
    if plan.empty:
        output.note("nothing is there" + (" as far as can be seen" if plan.there.unseen else ""))
        return
    rows = [(i.kind, i.id, i.region, i.state or "-", output.money(i.price_per_hour)) for i in plan.there.items]
    rows += [("record and checkpoints", one.id, one.store_region, one.state, "-") for one in plan.kept]
    headers = ("KIND", "ID", "REGION", "STATE", "PER HOUR, AT MOST")
    output.note(output.table(headers, rows) if rows else "no machines; the job is closed")


def agreed(plan: Plan, *, yes: bool) -> bool:
    """Asks, where something would change. Raises ConfigError where nobody can answer."""
    if yes or plan.empty:
        return True
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to confirm; nothing was changed.", hint="--yes confirms the plan.")
    return click.confirm(f"remove {'all of these' if plan.selection.everything else 'these'}?", err=True)


def ended(place: Workplace, plan: Plan) -> list[TeardownIncomplete]:
    """Jobs are told to end and their programs save; stacks are destroyed: why, of those that are left."""
    plan.jobs.end(place.clock.now())
    let_save(place, plan.jobs.running(plan.there.unseen))
    return [why for stack in (plan.stacks if plan.include_stacks else ()) if (why := destroyed(stack))]


def destroyed(stack: str) -> TeardownIncomplete | None:
    """Why the stack is left: Pulumi is missing, or does not know it from here. It stops nothing else."""
    try:
        Pulumi(stack).destroy()
    except ConfigError as refusal:
        return TeardownIncomplete(f"stack '{stack}' is left: {refusal.message}", hint=refusal.hint)
    return None


def removed(place: Workplace, plan: Plan, failed: Sequence[TeardownIncomplete] = ()) -> Removed:
    """Machines first, then the jobs' records are closed, then (with data) what they keep."""
    done: list[Item] = []

    def tell(item: Item) -> None:
        done.append(item)
        reason = f" ({item.reason})" if item.reason else ""
        output.note(f"{item.result} {item.leftover.kind} {item.leftover.id}{reason}")

    chosen = plan.selection
    left = until_gone(place.cloud, place.clock, job=chosen.job, tell=tell, chosen=chosen.chosen)
    close(place, plan.jobs, left.unseen)
    left = replace(left, items=(*left.items, *plan.jobs.begun()))
    data = plan.with_data and left.nothing and not failed
    if data:
        plan.jobs.forget(everything=chosen.everything)
    if data and chosen.everything:
        left = until_gone(place.cloud, place.clock, data=True, tell=tell)
    return Removed(done=done, left=left, stays=stays_of(place, plan, failed), data=data)


def stays_of(place: Workplace, plan: Plan, failed: Sequence[TeardownIncomplete]) -> Stays:
    """Stacks are looked for once more where there were some."""
    again = stacks_of(place, plan.selection, plan.there.unseen) if plan.stacks else None
    stacks, unseen = again or (plan.stacks, plan.blind)
    return Stays(stacks=stacks, prepaid=plan.prepaid, unseen={**plan.blind, **unseen}, failed=failed)


def close(place: Workplace, jobs: Jobs, unseen: Mapping[str, AccelctlError]) -> None:
    """Steps jobs whose machines are gone until their records say so; what nobody can see of a job keeps it open."""
    closing, hidden = jobs.closing(unseen)
    for record in hidden:
        output.warn(f"job {record.id} stays open until all of it can be seen")
    for record in closing:
        now = place.records.read(record.id).record
        if now.ended_at is None:
            end_of(place, now)
