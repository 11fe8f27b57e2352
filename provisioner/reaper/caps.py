"""How much one run may end: a slip of ours, or of a metric, stays small."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from provisioner.catalog import labels
from provisioner.reaper.observed import Observed

MACHINES = 20
SHARE = Decimal("0.1")
ALL = "*"


@dataclass
class Caps:
    """At most 20 machines, a tenth of those seen, and what reaches a tenth of their price; at least one machine.

    Rounded down. The same holds for each owner. `prices` are USD per hour; without a price of its own a machine counts
    as its type costs on demand, and without that as the dearest of all.
    """

    seen: Counter[str]
    prices: dict[str, Decimal]
    dearest: Decimal
    ended: Counter[str] = field(default_factory=Counter[str])
    spent: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    def refusal(self, machine: Observed) -> str:
        """Why this run may not end it; empty where it may."""
        for who, name in ((ALL, "this run"), (owner_of(machine), f"owner '{owner_of(machine)}'")):
            allowed = max(1, min(MACHINES, int(self.seen[who] * SHARE)))
            if self.ended[who] >= allowed:
                return f"{name} may end {allowed} of {self.seen[who]} machines at once"
            share = self.prices.get(who, Decimal(0)) * SHARE
            if self.ended[who] and share and self.spent.get(who, Decimal(0)) >= share:
                return f"{name} may end machines of {share:.2f} USD an hour at once, a tenth of all"
        return ""

    def spend(self, machine: Observed) -> None:
        self._count(machine, 1)

    def give_back(self, machine: Observed) -> None:
        """It was not ended after all: another one may be."""
        self._count(machine, -1)

    def _count(self, machine: Observed, times: int) -> None:
        for who in (ALL, owner_of(machine)):
            self.ended[who] += times
            self.spent[who] = self.spent.get(who, Decimal(0)) + times * cost_of(machine, self.dearest)


def owner_of(machine: Observed) -> str:
    return labels.owner(machine.instance.labels)


def cost_of(machine: Observed, dearest: Decimal) -> Decimal:
    """USD per hour. A spot machine's price is often not known; it may be as dear as one on demand, never dearer."""
    known = machine.price_per_hour if machine.price_per_hour is not None else machine.on_demand_per_hour
    return known if known is not None else dearest


def caps_of(machines: Sequence[Observed]) -> Caps:
    dearest = max((cost_of(one, Decimal(0)) for one in machines), default=Decimal(0))
    seen, prices = Counter({ALL: len(machines)}), {ALL: Decimal(0)}
    for one in machines:
        owner, cost = owner_of(one), cost_of(one, dearest)
        seen[owner] += 1
        prices[ALL], prices[owner] = prices[ALL] + cost, prices.get(owner, Decimal(0)) + cost
    return Caps(seen=seen, prices=prices, dearest=dearest)
