"""One run over what is there: the dearest machine first, each decided, some acted on, none forgotten.

An act is two-phased over runs (mark, grace, act) and looks again just before: what became busy meanwhile is spared.
Machines are acted on in batches, and each has an outcome of its own: one machine's refusal never stops the others.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clouds.base import Notifies, ReapsInstances, Refusals, everybodys
from provisioner.domain.estate import OwnerKind
from provisioner.errors import AccelctlError, CloudError, CloudUnavailable, HeldByOwner, InstanceNotFound
from provisioner.reaper import marks
from provisioner.reaper.caps import Caps, caps_of
from provisioner.reaper.decide import Action, Decision, decide
from provisioner.reaper.notices import Told, tell_owners
from provisioner.reaper.observe import Blind, Observer, ReapableCloud
from provisioner.reaper.observed import Mark, Observed
from provisioner.reaper.thresholds import Thresholds

ENDS = {Action.STOP, Action.TERMINATE, Action.SCALE_OWNER}
CHANGES = ENDS | {Action.MARK, Action.UNMARK}

Key = tuple[str, str]
"""Region and id of a machine."""
Agreed = Mapping[Key, Action] | None
"""What somebody said yes to, and nothing else is done; None where nobody was asked."""
UNPLANNED = "it was not in the plan"


class Outcome(StrEnum):
    """What became of a decision."""

    PLANNED = "planned"
    DONE = "done"
    REFUSED = "refused"
    GONE = "gone"
    HELD = "held"
    """It is protected, or whoever replaces it keeps it; only its owner can change that."""
    LATER = "later"
    """There was no time for it, this run had ended as much as one may, or it was not in the plan; the next run takes it
    up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One machine, what was decided, and what became of it. `why` is the refusal's reason."""

    machine: Observed
    decision: Decision
    outcome: Outcome = Outcome.PLANNED
    why: str = ""

    @property
    def key(self) -> Key:
        return self.machine.instance.region, self.machine.instance.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run, the dearest machines first. `blind` regions could not be read; `told` are the messages to owners."""

    at: datetime
    machines: tuple[Swept, ...]
    blind: tuple[Blind, ...]
    told: tuple[Told, ...] = ()

    @property
    def plan(self) -> dict[Key, Action]:
        """The changes."""
        return {one.key: one.decision.action for one in self.machines if one.decision.action in CHANGES}

    @property
    def not_reached(self) -> list[Swept]:
        return [one for one in self.machines if one.outcome is Outcome.LATER]

    @property
    def unread(self) -> Counter[str]:
        """What could not be read, and of how many machines."""
        return Counter(what for one in self.machines for what in one.machine.unreadable)

    @property
    def failed(self) -> list[Swept]:
        return [one for one in self.machines if one.outcome is Outcome.REFUSED]


class SweptCloud(ReapableCloud, ReapsInstances, Notifies, Protocol):
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
        topic: str = "",
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cloud, self._observer, self._thresholds, self._token = cloud, observer, thresholds, token
        self._topic, self._enough = topic, enough
        self._told: tuple[Told, ...] = ()

    def run(self, regions: Sequence[str], *, apply: bool, blind: Sequence[Blind] = (), agreed: Agreed = None) -> Report:
        """Without `apply` nothing changes. `blind` are regions that are known to be out of sight."""
        now = self._cloud.time()
        machines = sorted(self._observer.machines(regions, now), key=dearest)
        decided = [Swept(machine=one, decision=self._decided(one, now)) for one in machines]
        beyond = {
            one.key: replace(one, outcome=Outcome.LATER, why=UNPLANNED) for one in decided if is_beyond(one, agreed)
        }
        going = [one for one in decided if one.key not in beyond]
        done = beyond | dict(self._acted(going, caps_of(machines), now)) if apply else {}
        swept = tuple(done.get(one.key, one) for one in decided)
        return Report(at=now, machines=swept, blind=(*blind, *self._observer.blind), told=self._told)

    def _decided(self, one: Observed, now: datetime) -> Decision:
        return decide(one, self._thresholds.of(one.instance.labels), now)

    def _acted(self, decided: Sequence[Swept], caps: Caps, now: datetime) -> Iterator[tuple[Key, Swept]]:
        """Ends come first: they stop a bill. A batch that there is no time for is left to the next run."""
        for batch in (*batches(decided, ENDS), *batches(decided, {Action.UNMARK})):
            yield from self._batch(batch, caps, now)
        self._tell_owners(decided)
        for batch in batches(decided, {Action.MARK}):
            yield from self._batch(batch, caps, now)

    def _batch(self, batch: Sequence[Swept], caps: Caps, now: datetime) -> Iterator[tuple[Key, Swept]]:
        if self._enough():
            yield from ((one.key, replace(one, outcome=Outcome.LATER)) for one in batch)
        elif batch[0].decision.action in ENDS:
            yield from self._ended(batch, caps)
        else:
            yield from outcomes(batch, self._labelled(batch, now))

    def _tell_owners(self, decided: Sequence[Swept]) -> None:
        """Before the marks: a run that dies in between tells again, and no grace begins in silence."""
        marked = [(one.machine, one.decision) for one in decided if one.decision.action is Action.MARK]
        if self._topic and not self._enough():
            self._told = tuple(tell_owners(self._cloud, self._topic, marked))

    def _labelled(self, batch: Sequence[Swept], now: datetime) -> Refusals:
        region, decision = batch[0].machine.instance.region, batch[0].decision
        mark = Mark(at=now, token=self._token, reason=decision.reason)
        text = marks.written(mark) if decision.action is Action.MARK else None
        return self._cloud.relabel(region, ids(batch), labels.REAP, text)

    def _ended(self, batch: Sequence[Swept], caps: Caps) -> Iterator[tuple[Key, Swept]]:
        """Within the caps. What stays after all takes nobody's place: the next ones are tried, while there is time.

        Where nobody of the first ones may be ended, the last ones say whether that is everybody's refusal.
        """
        waiting = [one for one in batch if not is_held(one)]
        yield from ((one.key, replace(one, outcome=Outcome.HELD, why=why_held(one))) for one in batch if is_held(one))
        heard: dict[str, AccelctlError | None] = {}
        while not self._enough() and (allowed := within(caps, waiting[::-1] if everybodys(heard) else waiting)):
            doubted = everybodys(heard) is not None
            tried = {one.key for one in allowed}
            waiting = [one for one in waiting if one.key not in tried]
            refused = self._ended_now(allowed)
            heard |= {one: refused.get(one) for one in ids(allowed)}
            for one in allowed:
                if stays_for_sure(refused.get(one.machine.instance.id)):
                    caps.give_back(one.machine)
            yield from outcomes(allowed, refused)
            if doubted and everybodys(heard):
                break
        why = everybodys(heard)
        for one in waiting:
            yield one.key, replace(one, outcome=Outcome.LATER, why=why.message if why else caps.refusal(one.machine))

    def _ended_now(self, batch: Sequence[Swept]) -> Refusals:
        """Only what a second look finds unchanged."""
        changed = self._changed(batch)
        same = [one for one in batch if one.machine.instance.id not in changed]
        return {**changed, **self._sent_home(same)}

    def _changed(self, batch: Sequence[Swept]) -> Refusals:
        """A second look at these very machines: why, by id, one is no longer decided the same."""
        region, now = batch[0].machine.instance.region, self._cloud.time()
        try:
            found = self._observer.again(region, ids(batch), now)
        except CloudError as refusal:
            return dict.fromkeys(ids(batch), refusal)
        second = {one.instance.id: self._decided(one, now) for one in found}
        told: dict[str, AccelctlError] = {}
        for one in batch:
            again = second.get(one.machine.instance.id)
            if again is None:
                told[one.machine.instance.id] = InstanceNotFound(f"{one.machine.instance.id} is gone.")
            elif again.action is not one.decision.action:
                told[one.machine.instance.id] = CloudError(f"it changed meanwhile: {again.reason}")
        return told

    def _sent_home(self, batch: Sequence[Swept]) -> Refusals:
        """What would launch a machine again goes first; where it stays, so does the machine."""
        if not batch:
            return {}
        region, action = batch[0].machine.instance.region, batch[0].decision.action
        requests = {one.machine.request: one.machine.instance.id for one in batch if one.machine.request}
        held = dict(self._cloud.cancel_requests(region, list(requests))) if requests else {}
        kept = {requests[request]: refusal for request, refusal in held.items()}
        going = [one for one in ids(batch) if one not in kept]
        ways = {Action.STOP: self._cloud.stop, Action.SCALE_OWNER: self._cloud.scale_in}
        return kept | dict(ways.get(action, self._cloud.end)(region, going))


def is_beyond(one: Swept, agreed: Agreed) -> bool:
    """It was decided after somebody said yes."""
    action = one.decision.action
    return agreed is not None and action in CHANGES and agreed.get(one.key) is not action


def is_held(one: Swept) -> bool:
    """Something would launch another one in its place, and is not ours to change."""
    return one.decision.action is Action.SCALE_OWNER and one.machine.owner is not OwnerKind.GROUP


def why_held(one: Swept) -> str:
    return f"'{one.machine.owner_name}' would replace it: scale that {one.machine.owner} in"


def within(caps: Caps, waiting: Sequence[Swept]) -> list[Swept]:
    """Those that may go now; the caps are spent for them."""
    allowed: list[Swept] = []
    for one in waiting:
        if not caps.refusal(one.machine):
            caps.spend(one.machine)
            allowed.append(one)
    return allowed


def stays_for_sure(refusal: AccelctlError | None) -> bool:
    """Whereas an answer that never came may be that of a machine that was ended."""
    return refusal is not None and not isinstance(refusal, CloudUnavailable)


def batches(decided: Sequence[Swept], actions: set[Action]) -> list[list[Swept]]:
    """Those that one call can serve, in the order of the dearest of each."""
    found: dict[tuple[str, Action, str], list[Swept]] = {}
    for one in decided:
        if one.decision.action in actions:
            text = one.decision.reason if one.decision.action is Action.MARK else ""
            found.setdefault((one.machine.instance.region, one.decision.action, text), []).append(one)
    return list(found.values())


def ids(batch: Sequence[Swept]) -> list[str]:
    return [one.machine.instance.id for one in batch]


def outcomes(batch: Sequence[Swept], refused: Refusals) -> Iterator[tuple[Key, Swept]]:
    for one in batch:
        refusal = refused.get(one.machine.instance.id)
        if refusal is None:
            yield one.key, replace(one, outcome=Outcome.DONE)
        elif isinstance(refusal, InstanceNotFound):
            yield one.key, replace(one, outcome=Outcome.GONE)
        elif isinstance(refusal, HeldByOwner):
            yield one.key, replace(one, outcome=Outcome.HELD, why=refusal.message)
        else:
            yield one.key, replace(one, outcome=Outcome.REFUSED, why=refusal.message)


def dearest(machine: Observed) -> tuple[Decimal, str]:
    """The dearest first; an unknown price counts as the dearest of all."""
    price = machine.price_per_hour
    return (-price if price is not None else Decimal("-Infinity"), machine.instance.id)
