"""Rules over a whole stack: what it may cost, how many machines it has, who sends them home."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from provisioner.rules import templates
from provisioner.rules.configuration import Configuration
from provisioner.rules.facts import UNKNOWN, Capacity, Facts, NotYetKnown, Part, Unknown
from provisioner.rules.ruleset import HOURS_A_MONTH, Finding, Level, Outcome, cheap, counted, let_off, time_left

SUBJECT = "the stack"
REAPERS = {"aws": "reaper-aws"}
"""The stack that brings a cloud's reaper; the other clouds have none yet."""
Said = tuple[Outcome, str]
Check = Callable[[Sequence[Facts], Configuration, datetime], Said | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A rule over everything at once: `check` gives an outcome and what it rests on, or None for nothing."""

    name: str
    level: Level
    help: str
    check: Check
    adds_up: bool = False
    """What it cannot add up it says, and that blocks nothing."""

    @property
    def not_known(self) -> str:
        """The name of the pack's policy for that: a policy has one level alone."""
        return f"{self.name}-not-known"


def count(facts: Facts) -> int | None:
    """Machines at most; None where nobody can say."""
    if facts.blueprint or facts.part is not Part.MACHINE:
        return 0
    most = facts.most if facts.group else 1
    return None if isinstance(most, Unknown) else most


def hours(facts: Facts, allowed: Configuration, now: datetime) -> Decimal:
    """Until it ends; a month where it does not; as long as an end may be where it is not known yet."""
    try:
        left = time_left(facts, now)
    except NotYetKnown:
        left = allowed.longest_end
    return Decimal(HOURS_A_MONTH) if left is None else max(Decimal(left.total_seconds()) / 3600, Decimal(0))


def priced(found: Sequence[Facts]) -> Iterator[tuple[Facts, Decimal | None]]:
    """With USD per hour of one machine: what comes from a template costs as the dearest template of the stack.

    What runs in capacity that the stack itself pays for costs nothing more.
    """
    paid = any(one.reserves for one in found)
    prices = {id(one): Decimal(0) if paid and one.reserved else one.usd_per_hour for one in found}
    templates = [prices[id(one)] for one in found if one.blueprint]
    dearest = None if None in templates else max((one for one in templates if one is not None), default=None)
    for one in found:
        yield one, dearest if one.from_template else prices[id(one)]  # what the template is, nobody knows before up


def over_budget(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Said | None:
    if allowed.budget is None:
        return None
    total, blind = Decimal(0), list[str]()
    for one, price in priced(found):
        machines = count(one)
        if machines is None or (price is None and machines):
            blind.append(one.subject)
        elif price is not None:
            total += price * machines * hours(one, allowed, now)
    if total > allowed.budget:
        mend = "fewer or smaller machines, an earlier end, or a larger budget"
        return Outcome.VIOLATION, f"it may cost ${total:,.0f}, more than its budget of ${allowed.budget:,.0f}; {mend}"
    if blind:
        return Outcome.UNKNOWN, f"it may cost ${total:,.0f} and what nobody can price: {', '.join(sorted(set(blind)))}"
    return None


def too_many(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Said | None:
    if allowed.most_machines is None:
        return None
    counts = [(one.subject, count(one)) for one in found if not one.reserves]
    total = sum(one or 0 for _, one in counts)
    if total > allowed.most_machines:
        return (
            Outcome.VIOLATION,
            f"it may have {counted(total, 'machine')}, more than the {allowed.most_machines} that are allowed",
        )
    blind = sorted({name for name, one in counts if one is None})
    return (Outcome.UNKNOWN, f"nobody can say how many machines these have: {', '.join(blind)}") if blind else None


def nobody_reaps(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Said | None:
    """Prepaid machines go home by themselves."""
    brought = {one.cloud for one in found if one.part is Part.REAPER}
    told = any(one.blueprint for one in found)  # what comes from a template of the stack is as the template says
    dear = {one.cloud for one in found if one.part is Part.MACHINE and one.capacity is not Capacity.CAPACITY_BLOCK
            and not cheap(one, allowed) and not (told and one.from_template)}  # fmt: skip
    for cloud in sorted((dear & set(REAPERS)) - set(allowed.reapers) - brought):
        left = ", ".join(sorted(one.subject for one in by_label_alone(found, allowed)))
        stays = f", and nothing is known to keep the ends that labels alone say: {left}" if left else ""
        what = f"no reaper is known to run in {cloud}, so an idle machine stays until its end{stays}; {brings(cloud)}"
        return Outcome.VIOLATION, what
    return None


def nobody_ends(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Said | None:
    """Each machine or group that ends by a schedule alone has one in its stack: its labels are only words."""
    told = " ".join(filter(None, (unended(found, allowed), unemptied(found, allowed), unreaped(found, allowed))))
    return (Outcome.VIOLATION, told) if told else None


def unended(found: Sequence[Facts], allowed: Configuration) -> str:
    """Of every cloud, each with its own advice."""
    left = list[Facts]()
    for cloud in sorted({one.cloud for one in found}):
        told = [one for one in found if one.cloud == cloud and needs_schedule(one, allowed)]
        left += without_end(told, [one for one in found if one.cloud == cloud and one.part is Part.ENDER])
    names, mend = ", ".join(sorted(one.subject for one in left)), ", or ".join({one.otherwise: 0 for one in left})
    has = f"labels say when these end, and the stack has no schedule of their own for them {soon(allowed)}: {names}"
    return f"{has}; {mend}, or bring a schedule for each" if left else ""


def soon(allowed: Configuration) -> str:
    return f"that runs within {counted(allowed.longest_end.days, 'day')}"


def unreaped(found: Sequence[Facts], allowed: Configuration) -> str:
    """Where it is required that a reaper is known."""
    left = by_label_alone(found, allowed) if allowed.reaper_required else ()
    if not left:
        return ""
    names, mend = ", ".join(sorted(one.subject for one in left)), brings("aws")
    return f"labels alone say when these end, and no reaper is known to run in aws: {names}; {mend}"


def by_label_alone(found: Sequence[Facts], allowed: Configuration) -> list[Facts]:
    """EC2's machines on demand that neither a reaper that is known nor a schedule of the stack ends."""
    if "aws" in allowed.reapers or any(one.part is Part.REAPER for one in found):
        return []
    kept = {one_id for one in found if one.part is Part.ENDER and one.cloud == "aws" for one_id in one.ids}
    passing = any(one.blueprint and one.capacity is not Capacity.ON_DEMAND for one in found)
    return [one for one in found if one.ids and one.part is Part.MACHINE and not (one.blueprint and not one.hands_on)
            and one.ends_at is not None and not cheap(one, allowed)
            and (one.capacity is Capacity.ON_DEMAND or (one.capacity is UNKNOWN and not passing))
            and not (kept and UNKNOWN in (*kept, one.ids[0])) and one.ids[0] not in kept]  # fmt: skip


def brings(cloud: str) -> str:
    return f"'pulumi up' of the stack {REAPERS[cloud]} brings one; then say reapers = [\"{cloud}\"]"


def unemptied(found: Sequence[Facts], allowed: Configuration) -> str:
    """Scaling groups that keep machines, or are opened at set times, and that nothing closes again."""
    openers = [one for one in found if one.part is Part.OPENER]
    groups = [at_least(one) for one in found if one.group and one.scheduled_end]
    stay = [one for one in groups if not cheap(one, allowed) and stays(one, openers)]
    left = without_end(stay, [one for one in found if one.cloud == "aws" and one.part is Part.ENDER and one.group])
    names = ", ".join(sorted(one.subject for one in left))
    mend = "set their least and their desired size to 0, or give each a schedule that sets both to 0"
    has = f"these groups keep machines, and the stack has no schedule that closes them and {soon(allowed)}: {names}"
    return f"{has}; {mend}" if left else ""


def at_least(group: Facts) -> Facts:
    """With what it surely keeps: what it starts with is not known before `up` where nobody has said it."""
    return replace(group, least=group.smallest) if group.least is UNKNOWN and group.smallest else group


def stays(group: Facts, openers: Sequence[Facts]) -> bool:
    """What is not known is said of the group itself."""
    if UNKNOWN in (group.least, group.instance_types):
        return False
    mine = [one for one in openers if UNKNOWN in (one.machine, group.machine) or one.machine == group.machine]
    return group.least != 0 or any(one.least != 0 or group.capacity is not Capacity.SPOT for one in mine)


def due(schedule: Facts, allowed: Configuration, now: datetime) -> bool:
    """Whether it runs in time. One whose moment is past, or that never runs, does not."""
    if isinstance(schedule.runs, Unknown):
        return True
    return schedule.runs is not None and schedule.runs.within(now, allowed.longest_end)


def ends(schedule: Facts, one: Facts) -> bool:
    """By name where both names are known. Nothing brings a group below its smallest size but what sets that too."""
    mine = UNKNOWN in (one.machine, schedule.machine) or one.machine == schedule.machine
    return mine and (one.smallest in (None, 0, UNKNOWN) or schedule.smallest in (0, UNKNOWN))


def without_end(machines: Sequence[Facts], schedules: Sequence[Facts]) -> list[Facts]:
    """Those that none of the schedules could end: one ends one machine."""
    free, without = list(schedules), list[Facts]()
    for one in sorted(machines, key=lambda one: one.machine is UNKNOWN):  # who has no name takes what is left
        fitting = [other for other in free if ends(other, one)]
        if fitting:
            free.remove(max(fitting, key=lambda other: other.machine is not UNKNOWN))
        else:
            without.append(one)
    return without


def launched_wrongly(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Said | None:
    """What is launched from templates of the stack, each with its own template's words."""
    told = [f"{one.subject} ({one.rule}): {one.what}" for one in templates.broken(found, allowed, now)]
    return (Outcome.VIOLATION, f"what its templates launch breaks rules: {'; '.join(told)}") if told else None


def needs_schedule(facts: Facts, allowed: Configuration) -> bool:
    ends = facts.scheduled_end and facts.ends_at is not None
    return ends and facts.capacity is Capacity.ON_DEMAND and not cheap(facts, allowed)


TOTALS = (
    Total(name="ends-kept", level=Level.MANDATORY, check=nobody_ends,
          help="Where only a schedule ends machines, the stack has one for each."),
    Total(name="launched-from-templates", level=Level.MANDATORY, check=launched_wrongly,
          help="A machine keeps the rules with what its template gives it: a template's own labels reach no machine."),
    Total(name="budget", level=Level.MANDATORY, check=over_budget, adds_up=True,
          help="What a stack may cost until its machines end is within its budget; an unknown price is said, never 0."),
    Total(name="machines-counted", level=Level.MANDATORY, check=too_many, adds_up=True,
          help="A stack has no more machines than it may."),
    Total(name="reaper-present", level=Level.ADVISORY, check=nobody_reaps,
          help="Where expensive machines run, a reaper does."),
)  # fmt: skip
NAMES = tuple(total.name for total in TOTALS)


def judge(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Iterator[Finding]:
    """Every total that has something to say of a stack that carries machines. What ends them too late ends nothing."""
    parts = (Part.REAPER, Part.ENDER, Part.OPENER)
    every = [member for one in found for member in one.members if one.part is not Part.ENDER or due(one, allowed, now)]
    carrying = [one for one in every if one.part in parts or one.from_template or one.instance_types != ()]
    for total in TOTALS if carrying else ():
        if said := total.check(carrying, allowed, now):
            outcome, what = said
            finding = Finding(
                rule=total.name, level=total.level, subject=SUBJECT, outcome=outcome, what=what, machine=False
            )
            yield let_off(finding, allowed, now)
