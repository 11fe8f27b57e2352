"""What rounds did, kept for a week: one object, replaced by compare-and-swap. Pure but for `Histories`.

A round is written here when it begins and when it is over: of one that dies in between its beginning stays, and its
marks and its log tell what it did.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from provisioner.catalog import labels
from provisioner.errors import CloudError, CloudUnavailable
from provisioner.jobs.objects import ObjectChanged, ObjectMissing, Objects
from provisioner.reaper.activity import Verdict
from provisioner.reaper.decide import Action
from provisioner.reaper.sweep import ENDS, Outcome, Report, Swept

KEY = "reaper/history.json"
VERSION = 1
KEPT = 7
"""Days, today included."""
LONGEST = timedelta(minutes=20)
"""Of a round: the function has ten minutes."""
ATTEMPTS = 8
"""Of writing, while other rounds write."""
Place = str
"""Region and id of a machine: `us-east-1/i-0123`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What was done to one machine. USD a day; None where the price was not known."""

    at: datetime
    instance_type: str
    owner: str
    reason: str
    saves_per_day: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The rounds of one day, UTC. `seen` and `unknown` are the most of one round; a machine has one event of a kind."""

    rounds: int = 0
    failed: int = 0
    """Rounds in which something could not be done or seen."""
    seen: int = 0
    unknown: int = 0
    marked: Mapping[Place, Event] = field(default_factory=dict[Place, Event])
    ended: Mapping[Place, Event] = field(default_factory=dict[Place, Event])
    spared: Mapping[Place, Event] = field(default_factory=dict[Place, Event])
    """They worked again, and lost their mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`unknown` are the machines that nobody could judge in the last round, and since when.

    `begun` are the rounds, by token, that are not over.
    """

    version: int = VERSION
    days: Mapping[date, Day] = field(default_factory=dict[date, Day])
    unknown: Mapping[Place, datetime] = field(default_factory=dict[Place, datetime])
    begun: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    def unfinished(self, now: datetime) -> int:
        """Rounds that died: no function runs for as long."""
        return sum(now - at > LONGEST for at in self.begun.values())

    @property
    def oldest(self) -> tuple[Place, datetime] | None:
        """Who has been unknown for longest."""
        return min(self.unknown.items(), key=lambda one: (one[1], one[0]), default=None)

    def age_of_oldest(self, now: datetime) -> timedelta:
        return now - self.oldest[1] if self.oldest else timedelta(0)


ACTS = {"marked": {Action.MARK}, "ended": ENDS, "spared": {Action.UNMARK}}


def with_begun(history: History, token: str, now: datetime) -> History:
    """The history with a round that begins; who began more than a week ago is forgotten."""
    kept = {one: at for one, at in history.begun.items() if now - at < timedelta(days=KEPT)}
    return replace(history, begun={token: now} | kept)


def with_round(history: History, report: Report, looked_at: Iterable[str], *, failed: bool, token: str) -> History:
    """The history with one more round that is over. Of regions that were not looked at, or could not be, unknown stays
    unknown."""
    today = report.at.astimezone(UTC).date()
    days = {day: held for day, held in history.days.items() if day > today - timedelta(days=KEPT)}
    days[today] = with_events(days.get(today, Day()), report, failed=failed)
    begun = {one: at for one, at in history.begun.items() if one != token}
    return replace(history, days=days, unknown=still_unknown(history.unknown, report, looked_at), begun=begun)


def with_events(day: Day, report: Report, *, failed: bool) -> Day:
    unknown = sum(one.decision.verdict is Verdict.UNKNOWN for one in report.machines)
    done = {name: done_of(report, actions) for name, actions in ACTS.items()}
    return Day(
        rounds=day.rounds + 1, failed=day.failed + failed, seen=max(day.seen, len(report.machines)),
        unknown=max(day.unknown, unknown), marked={**day.marked, **done["marked"]},
        ended={**day.ended, **done["ended"]}, spared={**day.spared, **done["spared"]},
    )  # fmt: skip


def done_of(report: Report, actions: set[Action]) -> dict[Place, Event]:
    done = [one for one in report.machines if one.outcome is Outcome.DONE and one.decision.action in actions]
    return {place_of(one): event(one, report.at) for one in done}


def event(one: Swept, at: datetime) -> Event:
    instance, decision = one.machine.instance, one.decision
    return Event(
        at=at, instance_type=instance.instance_type, owner=labels.owner(instance.labels),
        reason=decision.reason, saves_per_day=decision.saves_per_day,
    )  # fmt: skip


def still_unknown(before: Mapping[Place, datetime], report: Report, looked_at: Iterable[str]) -> dict[Place, datetime]:
    read = set(looked_at) - {one.region for one in report.blind}
    kept = {place: since for place, since in before.items() if place.partition("/")[0] not in read}
    now = [place_of(one) for one in report.machines if one.decision.verdict is Verdict.UNKNOWN]
    return kept | {place: before.get(place, report.at) for place in now}


def place_of(one: Swept) -> Place:
    return "/".join(one.key)


class Histories:
    """The history in a store. Raises CloudError for one that cannot be read: it is never written over."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def read(self) -> History:
        return self._tagged()[0]

    def change(self, change: Callable[[History], History]) -> History:
        """Several rounds may write at the same time: each is there afterwards."""
        for _ in range(ATTEMPTS):
            held, tag = self._tagged()
            changed = change(held)
            content = msgspec.json.encode(changed)
            try:
                self._objects.replace(KEY, content, tag) if tag else self._objects.create(KEY, content)
            except ObjectChanged:
                continue
            return changed
        raise CloudUnavailable(f"{KEY} was written by others all the time.", hint="the next round writes it.")

    def _tagged(self) -> tuple[History, str]:
        try:
            content, tag = self._objects.get_tagged(KEY)
        except ObjectMissing:
            return History(), ""
        return decoded(content), tag


def decoded(content: bytes) -> History:
    try:
        found = msgspec.json.decode(content, type=History)
    except msgspec.MsgspecError as problem:
        raise CloudError(f"{KEY} is damaged: {problem}.", hint="delete it; it is written anew.") from problem
    if found.version > VERSION:
        raise CloudError(f"{KEY} was written by a newer accelctl.", hint="upgrade accelctl.")
    return found
