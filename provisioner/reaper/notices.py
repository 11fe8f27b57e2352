"""What an owner is told before machines are marked: one message for each owner and round."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from provisioner.catalog import labels
from provisioner.clouds.base import Notifies
from provisioner.errors import AccelctlError
from provisioner.reaper.caps import owner_of
from provisioner.reaper.decide import Decision, foreign
from provisioner.reaper.observed import Observed

LISTED = 500
"""Machines of one message: a topic takes 256 KiB."""
NOBODY = "unknown"
"""A subscription's filter needs a word."""
Marked = tuple[Observed, Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message. `why` is the refusal's reason, empty where it was sent."""

    owner: str
    machines: int
    why: str = ""


def tell_owners(cloud: Notifies, topic: str, marked: Sequence[Marked]) -> Iterator[Told]:
    """A refusal is kept and never stops anything: the label tells as well."""
    by_owner = sorted(marked, key=lambda one: owner_of(one[0]))
    for owner, held in groupby(by_owner, key=lambda one: owner_of(one[0])):
        machines = list(held)
        why = ""
        try:
            cloud.notify(topic, subject(owner, machines), text(machines), {"owner": owner or NOBODY})
        except AccelctlError as refusal:
            why = refusal.message
        yield Told(owner=owner, machines=len(machines), why=why)


def subject(owner: str, machines: Sequence[Marked]) -> str:
    count = f"{len(machines)} idle machine{'s' if len(machines) > 1 else ''}"
    return f"accelctl: {count} of {owner or 'an unknown owner'}"


def text(machines: Sequence[Marked]) -> str:
    lines = [line(machine, decision) for machine, decision in machines[:LISTED]]
    if len(machines) > LISTED:
        lines.append(f"and {len(machines) - LISTED} more: 'accelctl reap' lists them.")
    return "\n".join([FIRST, "", *lines, ""])


FIRST = (
    "The reaper marks these machines. Each goes at the first round after the time given, unless it works again by "
    f"then or its label {labels.KEEP_UNTIL} names a later time."
)


def line(machine: Observed, decision: Decision) -> str:
    instance, ends = machine.instance, decision.not_before
    goes = "not accelctl's, never ended by it" if foreign(machine) or ends is None else f"{ends:%Y-%m-%d %H:%M} UTC"
    cost = f"; {decision.saves_per_day:.2f} USD a day" if decision.saves_per_day is not None else ""
    return f"{instance.id} {instance.instance_type} {instance.region}: {goes}; {decision.reason}{cost}"
