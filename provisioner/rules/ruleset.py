"""The rules. Each takes facts and what is allowed, and says what is wrong with how to mend it, or nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase

from provisioner.catalog import labels
from provisioner.rules.configuration import LONGEST_EXEMPTION, Configuration
from provisioner.rules.facts import Capacity, Facts, NotYetKnown, Part, Unknown, known
from provisioner.rules.places import written

HOURS_A_MONTH = 730
DOWN = "set to 0 its least number, and what it starts with on demand"
OF_OTHERS = "a group, a fleet or a node pool holds it, and the machine does not show whether that lets it go; see there"
TEMPLATES = "which this machine alone does not show; say it on the machine as well, or let its stack hold the template"
LATER = "what this rule needs is not known yet; it is looked at again at up"


class Level(StrEnum):
    """What a violation does."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


class Outcome(StrEnum):
    """Three of them: what is not known yet is said out loud."""

    VIOLATION = "violation"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says of one resource. USD per hour is None where the price is not known."""

    rule: str
    level: Level
    subject: str
    outcome: Outcome
    what: str
    usd_per_hour: Decimal | None = None
    machine: bool = True
    from_template: bool = False

    @property
    def usd_per_month(self) -> Decimal | None:
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_A_MONTH

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}{self.price}"

    @property
    def price(self) -> str:
        """Of a machine; empty for what is none."""
        if not self.machine:
            return ""
        if self.usd_per_hour is None:
            return f" ({'the price of its template' if self.from_template else 'an unknown price'})"
        return f" (${self.usd_per_hour:,.2f}/h, ${self.usd_per_hour * HOURS_A_MONTH:,.0f}/month)"


Check = Callable[[Facts, Configuration, datetime], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`check` gives what is wrong and how to mend it; empty for nothing."""

    name: str
    level: Level
    help: str
    check: Check
    parts: tuple[Part, ...] = (Part.MACHINE,)
    """What it judges."""

    def judges(self, facts: Facts) -> bool:
        return facts.part in self.parts and (facts.part is not Part.MACHINE or facts.instance_types != ())


def cheap(facts: Facts, allowed: Configuration) -> bool:
    """Never without a price or a bound that is known; a group's accelerators count by what they cost together."""
    price, count = facts.usd_per_hour, together(facts)
    if isinstance(facts.instance_types, Unknown) or isinstance(count, Unknown):
        return False
    if price is None:
        return facts.at_most is not None and facts.at_most <= allowed.expensive_from
    return price * max(Decimal(count), Decimal(1)) < allowed.expensive_from


def together(facts: Facts) -> float | Unknown:
    """How many machines are judged by what they cost together."""
    return facts.least if facts.group and facts.accelerated and facts.unit == "machine" else 1


def not_always_on(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if cheap(facts, allowed) or facts.stopped:
        return ""
    if facts.group:
        if known(facts.least) == 0 or known(facts.scheduled) or time_left(facts, now) is not None:
            return ""
        types_of(facts)
        if facts.scheduled_end:  # its stack's schedules say that: ends-kept
            return ""
        return f"it keeps at least {counted(known(facts.least), facts.unit)} for ever; {facts.otherwise or DOWN}"
    if goes_by_itself(facts, now):
        return ""
    types_of(facts)
    unheeded = f" (its label {labels.EXPIRES_AT} ends nothing)" if names_an_end(facts) else ""
    return f"it is on demand and has no end{unheeded}; {facts.otherwise or 'buy it as spot'}"


def goes_by_itself(facts: Facts, now: datetime) -> bool:
    """Spot, paid for beforehand, or with an end."""
    if not isinstance(facts.capacity, Unknown) and facts.capacity is not Capacity.ON_DEMAND:
        return True
    if facts.there and isinstance(facts.ends_at, Unknown):
        raise NotYetKnown(OF_OTHERS)
    if time_left(facts, now) is not None:
        return True
    if facts.template and isinstance(facts.capacity, Unknown):
        raise NotYetKnown(f"how it is bought and whether it ends is its template's to say, {TEMPLATES}")
    return known(facts.capacity) is not Capacity.ON_DEMAND


def counted(number: float, unit: str) -> str:
    """1 machine, 4 machines: the engine writes whole numbers with a point."""
    return f"{number:.0f} {unit if number == 1 else f'{unit}s'}"


def types_of(facts: Facts) -> tuple[str, ...]:
    """Raises NotYetKnown, with what to do where `up` would not know either."""
    if facts.from_template and isinstance(facts.instance_types, Unknown):
        raise NotYetKnown("what it keeps is its template's, which cannot be seen from here; name its types")
    return known(facts.instance_types)


def names_an_end(facts: Facts) -> bool:
    """By a label, heeded or not."""
    return not isinstance(facts.labels, Unknown) and labels.EXPIRES_AT in facts.labels


def end_within_limit(facts: Facts, allowed: Configuration, now: datetime) -> str:
    """A capacity block is paid for in full: it costs no less when it ends sooner."""
    if cheap(facts, allowed) or facts.stopped or facts.capacity is Capacity.CAPACITY_BLOCK:
        return ""
    left = time_left(facts, now)
    if left is None or timedelta() < left <= allowed.longest_end:
        return ""
    types_of(facts)
    if left <= timedelta():
        return past(facts, now + left)
    return f"it ends {left.days} days from now, and {allowed.longest_end.days} are allowed; end it sooner"


def past(facts: Facts, ended: datetime) -> str:
    moment = f"{ended:%Y-%m-%d %H:%M} UTC"
    if facts.there:
        return f"it should have ended at {moment}, and nothing has ended it; end it, and see whether its reaper runs"
    return f"its end, {moment}, is past, so nothing would end it in time; give it one that is ahead"


def time_left(facts: Facts, now: datetime) -> timedelta | None:
    """To the nearer of its ends; None for no end."""
    ends_at, lasts = known(facts.ends_at), known(facts.lasts)
    return min((one for one in (ends_at and ends_at - now, lasts) if one is not None), default=None)


def reservation_ends(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if cheap(facts, allowed) or facts.capacity is not Capacity.RESERVATION or time_left(facts, now) is not None:
        return ""
    return f"the reservation is paid for until somebody cancels it; {facts.otherwise}"


def capacity_block_pinned(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if facts.capacity is not Capacity.CAPACITY_BLOCK or known(facts.pinned):
        return ""
    mend = "protect it, and ignore changes of capacityBlockOfferingId"
    return f"it is paid for in full at once, and a change would buy another; {mend}"


def required_labels(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if not facts.takes_labels:
        return ""
    missing = lacking(facts, allowed)
    if missing and facts.template:
        raise NotYetKnown(f"{labels_are(missing)} its template's to give, {TEMPLATES}")
    if missing:
        return f"{labels_are(missing)} missing; every machine says whose it is"
    wanted = required(facts, allowed)
    blank = [name for name, value in wanted.items() if value == "unassigned" and not allowed.unassigned_allowed]
    return f"{labels_are(blank)} 'unassigned'; say who pays" if blank else ""


def labels_are(names: Sequence[str]) -> str:
    listed = ", ".join(f"accelctl:{name}" for name in names)
    return f"the label {listed} is" if len(names) == 1 else f"the labels {listed} are"


def required(facts: Facts, allowed: Configuration) -> dict[str, str | None]:
    """The labels that are wanted, with what they say. Raises NotYetKnown."""
    held = known(facts.labels)
    return {name: labels.said(held, f"accelctl:{name}") for name in allowed.required_labels}


def lacking(facts: Facts, allowed: Configuration) -> list[str]:
    """The names of the labels that are missing. Raises NotYetKnown."""
    return [name for name, value in required(facts, allowed).items() if not value]


def orphan_proof(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if left := known(facts.leaves_behind):
        return f"{left} would stay and cost when it is deleted; let them go with it"
    if not cheap(facts, allowed) and known(facts.protected):
        return "it is protected from termination, so nothing can send it home; take the protection off"
    return ""


def spot_settings_sane(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if known(facts.persistent):
        return "a persistent request buys it again after every interruption; make it one-time"
    if facts.restarts is not False and known(facts.capacity) is Capacity.SPOT and known(facts.restarts):
        return "no spot machine can be restarted when the cloud takes it; turn the automatic restart off"
    return known(facts.asked_wrongly)


def allowed_machines(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if allowed.regions and (elsewhere := outside(facts, allowed.regions)):
        return elsewhere
    for one in known(facts.instance_types) if allowed.machines else ():
        if not any(fnmatchcase(one, pattern) for pattern in allowed.machines):
            return f"{one} is not allowed; allowed are {', '.join(allowed.machines)}"
    return ""


def outside(facts: Facts, regions: Sequence[str]) -> str:
    """What is wrong with where it is. Raises NotYetKnown, with what to do where `up` would not know either."""
    may = f"allowed are {', '.join(regions)}"
    if isinstance(facts.region, Unknown):
        raise NotYetKnown(f"its region is not known yet, or said by its provider alone; {may}: name one with it")
    if not facts.region:
        return f"it may go to any region; {may}: name one"
    return "" if facts.region in {written(one) for one in regions} else f"region {facts.region} is not allowed; {may}"


def security_floor(facts: Facts, allowed: Configuration, now: datetime) -> str:
    if facts.part is not Part.MACHINE:
        return known(facts.fault)
    if not known(facts.token_only_metadata):
        return "its metadata service answers without a token (IMDSv1); set http_tokens to required"
    if known(facts.public_address):
        return "it has a public address; use a private one"
    if not known(facts.encrypted):
        return "a disk is not encrypted; set encrypted"
    return ""


def reaper_works(facts: Facts, allowed: Configuration, now: datetime) -> str:
    return known(facts.fault)


RULES = (
    Rule(name="accelerator-not-always-on", level=Level.MANDATORY, check=not_always_on,
         help="An expensive machine is spot, prepaid, or has an end; a group may go down to 0 or has a schedule."),
    Rule(name="end-within-limit", level=Level.MANDATORY, check=end_within_limit,
         help="An end is ahead, and near enough."),
    Rule(name="reservation-ends", level=Level.MANDATORY, check=reservation_ends,
         help="A reservation of expensive machines has an end."),
    Rule(name="required-labels", level=Level.MANDATORY, check=required_labels,
         help="Owner, team and cost center are on every machine."),
    Rule(name="orphan-proof", level=Level.MANDATORY, check=orphan_proof,
         help="Nothing stays and costs when the resource goes."),
    Rule(name="spot-settings-sane", level=Level.MANDATORY, check=spot_settings_sane,
         help="A spot request buys once, and asks for nothing that spot cannot do."),
    Rule(name="allowed-machines", level=Level.MANDATORY, check=allowed_machines,
         help="Only the types and regions that the team allows."),
    Rule(name="security-floor", level=Level.MANDATORY, check=security_floor,
         parts=(Part.MACHINE, Part.NETWORK, Part.IDENTITY),
         help="IMDSv2, no public address, encrypted disks, no ssh for everybody, no role that may do everything."),
    Rule(name="capacity-block-pinned", level=Level.MANDATORY, check=capacity_block_pinned,
         help="A capacity block is protected, and its offering never changes by itself."),
    Rule(name="reaper-works", level=Level.MANDATORY, check=reaper_works, parts=(Part.REAPER,),
         help="The reaper is started, and is heard of when it fails."),
)  # fmt: skip
NAMES = tuple(rule.name for rule in RULES)


def judge(facts: Facts, allowed: Configuration, now: datetime) -> Iterator[Finding]:
    """Every rule that has something to say, the exempted ones included."""
    for rule in RULES:
        if rule.judges(facts) and (finding := judged(rule, facts, allowed, now)):
            yield finding


def judged(rule: Rule, facts: Facts, allowed: Configuration, now: datetime) -> Finding | None:
    """Of several pools the worst: a violation before what is not known, the dearest first."""
    if not facts.pools:
        found = judged_alone(rule, facts, allowed, now)
        return let_off(found, allowed, now) if found else None
    found = [one for member in facts.members if (one := judged_alone(rule, member, allowed, now))]
    return let_off(max(found, key=badness), allowed, now) if found else None


def badness(finding: Finding) -> tuple[bool, Decimal]:
    """A price that nobody knows is no cheap one."""
    price = finding.usd_per_hour
    return finding.outcome is Outcome.VIOLATION, Decimal("inf") if price is None else price


def judged_alone(rule: Rule, facts: Facts, allowed: Configuration, now: datetime) -> Finding | None:
    try:
        what, outcome = rule.check(facts, allowed, now), Outcome.VIOLATION
    except NotYetKnown as why:
        what, outcome = str(why) or LATER, Outcome.UNKNOWN
    if not what:
        return None
    return Finding(
        rule=rule.name, level=rule.level, subject=facts.subject, outcome=outcome, what=what,
        usd_per_hour=facts.usd_per_hour, machine=facts.part is Part.MACHINE, from_template=facts.from_template,
    )  # fmt: skip


def let_off(finding: Finding, allowed: Configuration, now: datetime) -> Finding:
    """Under an exemption that covers it, if one holds: an expired one is said, and lets nobody off."""
    exempt = [one for one in allowed.exemptions if one.covers(finding.subject, finding.rule)]
    if not exempt or finding.outcome is not Outcome.VIOLATION:
        return finding
    today = now.date()
    last = today + LONGEST_EXEMPTION
    one = max(exempt, key=lambda one: (today <= one.until <= last, one.until))
    end = f"ends on {one.until}" if one.until >= today else f"ended on {one.until}"
    if one.until > last:
        end = f"would end on {one.until}, and one lasts {LONGEST_EXEMPTION.days} days at most"
    outcome = Outcome.EXEMPT if today <= one.until <= last else Outcome.VIOLATION
    return replace(finding, outcome=outcome, what=f"{finding.what}; its exemption by {one.owner} {end}")
