"""One round: jobs that nobody looks after take a step, machines are swept, what jobs left behind is named.

The command and every function run this and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from provisioner.catalog.labels import JOB, STORE
from provisioner.clock import Clock
from provisioner.clouds.base import NOWHERE, FindsLeftovers, FindsUnused
from provisioner.clouds.regions import collected
from provisioner.domain.jobs import JobRecord
from provisioner.domain.leftovers import Leftover
from provisioner.errors import AccelctlError
from provisioner.jobs.objects import Objects
from provisioner.jobs.records import Records, Unreadable
from provisioner.jobs.step import Stepped
from provisioner.reaper.history import Histories, History, with_begun, with_round
from provisioner.reaper.known import KnownJobs
from provisioner.reaper.observe import Blind, Observer, side_by_side
from provisioner.reaper.sweep import UNPLANNED, Outcome, Report, Sweeper, SweptCloud
from provisioner.reaper.thresholds import Thresholds, defaults

UNUSED = {
    "volume": "it is attached to nothing",
    "address": "it is bound to nothing",
    "network-interface": "no machine has it",
    "placement-group": "no machine is in it",
    "spot-request": "no job asked for it",
    "fleet": "no job asked for it",
    "launch-template": "no job launches from it",
}
"""Of what carries our label and no job's."""


class RoundCloud(SweptCloud, FindsLeftovers, FindsUnused, Protocol):
    """What a round needs of a cloud."""

    def requests(self) -> Mapping[str, int]: ...


class StepsJobs(Protocol):
    """Takes a job's next steps."""

    def step(self, job: str) -> Stepped: ...

    def release(self, job: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """What is no machine: a job, or something that a job left behind."""

    kind: str
    id: str
    action: str
    outcome: Outcome
    reason: str
    region: str = ""
    price_per_hour: Decimal | None = None
    """At most; None where it is not known, or is nothing's."""

    @classmethod
    def of(cls, left: Leftover, reason: str) -> "Other":
        return cls(
            kind=left.kind, id=left.id, action="report", outcome=Outcome.PLANNED, reason=reason, region=left.region,
            price_per_hour=left.price_per_hour,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was seen and done."""

    report: Report
    others: tuple[Other, ...]
    history: History | None = None
    """With this round, where it was kept."""
    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the cloud was asked, by `<service>.<operation>`."""

    @property
    def steps(self) -> set[str]:
        """The jobs that a plan would step."""
        return {one.id for one in self.others if one.kind == "job" and one.outcome is Outcome.PLANNED}

    @property
    def changes(self) -> bool:
        """Whether a plan has any."""
        return bool(self.report.plan or self.steps)

    @property
    def failed(self) -> list[str]:
        """What could not be done or seen, and why."""
        told = [f"{one.machine.instance.id}: {one.why}" for one in self.report.failed]
        told += [
            f"{one.machine.instance.id}: {one.decision.reason}" for one in self.report.machines if one.decision.defect
        ]
        told += [f"{count} machines could not be judged: {what}" for what, count in self.report.unread.items()]
        told += [f"{one.region}: {one.reason}" for one in self.report.blind]
        return told + [f"{one.kind} {one.id}: {one.reason}" for one in self.others if one.outcome is Outcome.REFUSED]


def say_nothing(_before: JobRecord, _after: JobRecord) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Rounds over one account. `token` names the run in its marks; `enough` says that time is running out."""

    cloud: RoundCloud
    objects: Objects
    stepper: StepsJobs
    clock: Clock
    token: str
    thresholds: Thresholds = field(default_factory=defaults)
    everybodys: bool = False
    """Others' accelerators are looked at as well, marked, and never ended."""
    tell: Callable[[JobRecord, JobRecord], None] = say_nothing
    """Hears of a job before and after its step."""
    enough: Callable[[], bool] = lambda: False
    topic: str = ""
    """Tells owners of marks, where there is one."""
    remembers: bool = False
    """Whether the round is kept for the week's summary."""

    def run(self, regions: Iterable[str], *, apply: bool, agreed: Round | None = None) -> Round:
        """Without `apply` nothing changes; with a plan that somebody `agreed` to, nothing but what it shows.

        A listing of regions may end with Unseen: those are blind then.
        """
        if self.remembers:
            self._begin()
        places, unlisted = collected(regions)
        known, thresholds = KnownJobs(Records(self.objects)), self.thresholds
        jobs = tuple(self._jobs(known, apply=apply, agreed=agreed))
        observer = Observer(
            cloud=self.cloud, objects=self.objects, jobs=known, thresholds=thresholds, everybodys=self.everybodys
        )
        sweeper = Sweeper(
            cloud=self.cloud, observer=observer, thresholds=thresholds, token=self.token, topic=self.topic,
            enough=self.enough,
        )  # fmt: skip
        blind = [Blind.of(*one) for one in unlisted.items()]
        report = sweeper.run(places, apply=apply, blind=blind, agreed=agreed.report.plan if agreed else None)
        done = Round(report=report, others=(*jobs, *self._beside(known, places)))
        done = self._remembered(done, places) if self.remembers else done
        return replace(done, requests=self.cloud.requests())

    def _begin(self) -> None:
        """What cannot be kept now is tried again, and said, at the end."""
        with suppress(AccelctlError):
            Histories(self.objects).change(lambda one: with_begun(one, self.token, self.clock.now()))

    def _remembered(self, done: Round, regions: Sequence[str]) -> Round:
        """What cannot be kept is said, like everything that could not be done."""
        failed = bool(done.failed)
        try:
            held = Histories(self.objects).change(
                lambda one: with_round(one, done.report, regions, failed=failed, token=self.token)
            )
        except AccelctlError as refusal:
            lost = Other(
                kind="history", id="", action="keep", outcome=Outcome.REFUSED, reason=refusal.message
            )  # fmt: skip
            return replace(done, others=(*done.others, lost))
        return replace(done, history=held)

    def _jobs(self, known: KnownJobs, *, apply: bool, agreed: Round | None) -> Iterator[Other]:
        """Those that nobody leads just now."""
        for record in known.open():
            if isinstance(record, Unreadable):
                yield job(record.job, Outcome.REFUSED, record.problem)
            elif not (record.lease and record.lease.until > self.clock.now()) and not self.enough():
                if apply and agreed and record.id not in agreed.steps:
                    yield job(record.id, Outcome.LATER, UNPLANNED)
                else:
                    yield self._stepped(record) if apply else job(record.id, Outcome.PLANNED)

    def _stepped(self, record: JobRecord) -> Other:
        """One job never stops the others."""
        try:
            stepped = self.stepper.step(record.id)
            self.stepper.release(record.id)
        except AccelctlError as failure:
            return job(record.id, Outcome.REFUSED, failure.message)
        self.tell(record, stepped.record)
        return job(record.id, Outcome.DONE, stepped.decision.reason)

    def _beside(self, known: KnownJobs, regions: Sequence[str]) -> Iterator[Other]:
        """What is ours and nobody's any more, and what nothing uses. A damaged record may be live."""
        live = {one.job if isinstance(one, Unreadable) else one.id for one in known.open()}
        for found in side_by_side(lambda region: list(self._in_region(region, live)), [*regions, NOWHERE]):
            yield from found

    def _in_region(self, region: str, live: set[str]) -> Iterator[Other]:
        for one in self._listed(region, self.cloud.beside_machines(region)):
            if isinstance(one, Other):
                yield one
            elif why := why_unused(one, live, self.objects.name):
                yield Other.of(one, f"{why}; 'accelctl teardown' removes it")
        if region:
            yield from self._unused(region)

    def _unused(self, region: str) -> Iterator[Other]:
        for one in self._listed(region, self.cloud.unused(region, everybodys=self.everybodys)):
            if isinstance(one, Other):
                yield one
            elif one.kind == "schedule":
                yield Other.of(one, "the machines that it would end are gone; 'pulumi destroy' removes it")
            else:
                yield Other.of(one, f"it is {one.state}, and not accelctl's: its owner may not need it")

    def _listed(self, region: str, listing: Iterator[Leftover]) -> Iterator[Leftover | Other]:
        """A listing that is refused is said once, and never stops what was listed before it."""
        try:
            yield from listing
        except AccelctlError as refusal:
            yield Other(
                kind="listing", id=region, action="report", outcome=Outcome.REFUSED, reason=refusal.message,
                region=region,
            )  # fmt: skip


def why_unused(one: Leftover, live: set[str], store: str) -> str:
    """Empty where something may need it still, as a job of another store than ours, of which only that one can tell."""
    if job := one.labels.get(JOB):
        if one.labels.get(STORE, store) != store:
            return ""
        return "" if job in live else f"job {job} is over"
    return UNUSED.get(one.kind, "") if one.state not in ("in-use", "active") else ""


def job(name: str, outcome: Outcome, reason: str = "nobody steps it just now") -> Other:
    return Other(kind="job", id=name, action="step", outcome=outcome, reason=reason)
