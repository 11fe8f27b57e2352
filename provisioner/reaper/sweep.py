"""One run over what is there: the dearest machine first, each decided, some acted on, none forgotten.

An act is two-phased over runs (mark, grace, act) and looks again just before: what became busy meanwhile is spared.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clouds.base import ReapsInstances
from provisioner.errors import CloudError, InstanceNotFound
from provisioner.reaper import marks
from provisioner.reaper.caps import Caps, caps_of
from provisioner.reaper.decide import Action, Decision, decide
from provisioner.reaper.observe import Blind, Observer, ReapableCloud
from provisioner.reaper.observed import Mark, Observed
from provisioner.reaper.thresholds import Thresholds

ENDS = {Action.STOP, Action.TERMINATE}


class Outcome(StrEnum):
    """What became of a decision."""

    PLANNED = "planned"
    DONE = "done"
    REFUSED = "refused"
    GONE = "gone"
    LATER = "later"
    """There was no time for it; the next run takes it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One machine, what was decided, and what became of it. `why` is the refusal's reason."""

    machine: Observed
    decision: Decision
    outcome: Outcome = Outcome.PLANNED
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run. Machines are dearest first; `blind` are the regions that could not be read."""

    at: datetime
    machines: tuple[Swept, ...]
    blind: tuple[Blind, ...]

    @property
    def not_reached(self) -> list[Swept]:
        return [one for one in self.machines if one.outcome is Outcome.LATER]

    @property
    def failed(self) -> list[Swept]:
        return [one for one in self.machines if one.outcome is Outcome.REFUSED]


class SweptCloud(ReapableCloud, ReapsInstances, Protocol):
    """What a run needs of a cloud."""


class Sweeper:
    """Runs over one account. `token` names the run in its marks; `enough` says that time is running out."""

    def __init__(
        self,
        *,
        cloud: SweptCloud,
        observer: Observer,
        thresholds: Thresholds,
        token: str,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cloud, self._observer, self._thresholds, self._token = cloud, observer, thresholds, token
        self._enough = enough

    def run(self, regions: Sequence[str], *, apply: bool) -> Report:
        """Without `apply` nothing changes."""
        now = self._cloud.time()
        machines = sorted(self._observer.machines(regions, now), key=dearest)
        caps = caps_of(machines)
        swept = tuple(self._each(machines, caps, now, apply=apply))
        return Report(at=now, machines=swept, blind=tuple(self._observer.blind))

    def _each(self, machines: Sequence[Observed], caps: Caps, now: datetime, *, apply: bool) -> Iterator[Swept]:
        for machine in machines:
            decision = decide(machine, self._thresholds, now)
            if apply and decision.action not in (Action.KEEP, Action.REPORT):
                if self._enough():
                    yield Swept(machine=machine, decision=decision, outcome=Outcome.LATER)
                    continue
                yield self._acted(machine, decision, caps, now)
            else:
                yield Swept(machine=machine, decision=decision)

    def _acted(self, machine: Observed, decision: Decision, caps: Caps, now: datetime) -> Swept:
        """One machine's refusal never stops the others."""
        try:
            refusal = self._act(machine, decision, caps, now)
        except InstanceNotFound:
            return Swept(machine=machine, decision=decision, outcome=Outcome.GONE)
        except CloudError as error:
            refusal = error.message
        outcome = Outcome.REFUSED if refusal else Outcome.DONE
        return Swept(machine=machine, decision=decision, outcome=outcome, why=refusal)

    def _act(self, machine: Observed, decision: Decision, caps: Caps, now: datetime) -> str:
        """Why nothing was done; empty where it was. Raises CloudError."""
        instance = machine.instance
        if decision.action is Action.MARK:
            mark = Mark(at=now, token=self._token, reason=decision.reason)
            self._cloud.relabel(instance, labels.REAP, marks.written(mark))
        elif decision.action is Action.UNMARK:
            self._cloud.relabel(instance, labels.REAP, None)
        elif decision.action in ENDS:
            return self._end(machine, decision, caps)
        else:
            return f"'{machine.owner_name}' would replace it: scale that {machine.owner} in"
        return ""

    def _end(self, machine: Observed, decision: Decision, caps: Caps) -> str:
        if refusal := caps.refusal(machine):
            return refusal
        if changed := self._changed(machine, decision):
            return changed
        caps.spend(machine)
        if decision.action is Action.STOP:
            self._cloud.stop(machine.instance)
        else:
            self._cloud.terminate(machine.instance.id, region=machine.instance.region)
        return ""

    def _changed(self, machine: Observed, decision: Decision) -> str:
        """A second look at this very machine; empty where it would be decided the same."""
        region, now = machine.instance.region, self._cloud.time()
        found = self._observer.holdings(region, [machine.instance.id])
        for again in self._observer.region(region, found, now):
            second = decide(again, self._thresholds, now)
            return "" if second.action is decision.action else f"it changed meanwhile: {second.reason}"
        raise InstanceNotFound(f"{machine.instance.id} is gone.")


def dearest(machine: Observed) -> tuple[Decimal, str]:
    """The dearest first; an unknown price counts as the dearest of all."""
    price = machine.price_per_hour
    return (-price if price is not None else Decimal("-Infinity"), machine.instance.id)
