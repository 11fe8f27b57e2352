"""How much one run may end: a slip of ours, or of a metric, stays small."""

from collections import Counter
from dataclasses import dataclass, field
from math import ceil

from provisioner.catalog import labels
from provisioner.reaper.observed import Observed

MACHINES = 20
SHARE = 0.1


@dataclass
class Caps:
    """At most 20 machines or a tenth of those seen, whichever is smaller and at least one; the same for each owner."""

    seen: Counter[str]
    ended: Counter[str] = field(default_factory=Counter[str])

    def refusal(self, machine: Observed) -> str:
        """Why this run may not end it; empty where it may."""
        for who, name in ((ALL, "this run"), (owner_of(machine), f"owner '{owner_of(machine)}'")):
            allowed = max(1, min(MACHINES, ceil(self.seen[who] * SHARE)))
            if self.ended[who] >= allowed:
                return f"{name} may end {allowed} of {self.seen[who]} machines at once"
        return ""

    def spend(self, machine: Observed) -> None:
        self.ended.update((ALL, owner_of(machine)))


ALL = "*"


def owner_of(machine: Observed) -> str:
    return machine.instance.labels.get(labels.OWNER, "")


def caps_of(machines: list[Observed]) -> Caps:
    return Caps(seen=Counter([owner_of(one) for one in machines]) + Counter({ALL: len(machines)}))
