"""A job, from request to clean end: what the record holds. Shapes are stable; see docs/job-layout.md.

An attempt holds a list of nodes (one each in this version), ends as one, and has one price.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from provisioner.domain.offerings import Offering


class JobState(StrEnum):
    """What `status` shows."""

    PENDING = "pending"
    LAUNCHING = "launching"
    RUNNING = "running"
    RECOVERING = "recovering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class AttemptState(StrEnum):
    """Where an attempt is."""

    LAUNCHING = "launching"
    BOOTING = "booting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why an attempt ended."""

    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    NO_CAPACITY = "no-capacity"
    BOOT_TIMEOUT = "boot-timeout"
    CANCELLED = "cancelled"
    OVER_BUDGET = "over-budget"
    OVER_TIME = "over-time"


class Fallback(StrEnum):
    """What to do when there is no spot capacity."""

    NONE = "none"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a job may touch beside its own prefix: a bucket and a prefix in it, to read or also to write."""

    bucket: str
    prefix: str
    write: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A content-addressed object in the job store."""

    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, and how long is too long."""

    poll_every: timedelta = timedelta(seconds=10)
    """Between two looks of a stepper at a running job."""
    heartbeat_every: timedelta = timedelta(seconds=15)
    lost_after: timedelta = timedelta(minutes=5)
    """A machine that the cloud says is running, but that has not reported for this long, is lost."""
    cut_off_for: timedelta = timedelta(hours=1)
    """As long as its status checks pass, such a machine gets this: most often its way to the store is down."""
    vouched_for: timedelta = timedelta(minutes=15)
    """How long checks that passed speak for it while later ones are refused."""
    boot_timeout: timedelta = timedelta(minutes=15)
    stop_grace: timedelta = timedelta(minutes=2)
    """What a program gets between SIGTERM and the end of its machine when we end it."""
    last_upload: timedelta = timedelta(minutes=15)
    """How long a machine whose program has ended tries to send the last files before it goes home regardless."""
    lease: timedelta = timedelta(seconds=60)
    settle: timedelta = timedelta(seconds=60)
    """After this the cloud lists what it was asked for, and a call that was under way has ended."""
    answer_within: timedelta = timedelta(minutes=15)
    """A launch without an answer for this long is given up, and asked for anew."""
    refusal: timedelta = timedelta(minutes=3)
    """How long a refused offering is left alone (Karpenter uses the same three minutes)."""
    first_pause: timedelta = timedelta(seconds=15)
    """After every offering refused; doubles each round."""
    longest_pause: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """For how long something was asked for in vain, again and again."""

    last: datetime
    """When it was last asked for."""
    used: timedelta = timedelta(0)


def asked_again(before: Patience | None, now: datetime, pace: Pace) -> Patience:
    """Time in which nobody asked counts as one pause at the most: a laptop that sleeps uses no patience up."""
    if before is None:
        return Patience(last=now)
    return Patience(last=now, used=before.used + min(max(now - before.last, timedelta(0)), pace.longest_pause))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What the user asked for; a resume replaces its limits, and nothing else of it ever changes."""

    name: str
    command: tuple[str, ...]
    cloud: str
    instance_types: tuple[str, ...]
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    setup: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Name in the environment -> where the value is kept: ssm:/path or secretsmanager:arn."""
    access: tuple[Grant, ...] = ()
    workdir: Archive | None = None
    checkpoint_dir: str = "checkpoints"
    outputs_dir: str = "outputs"
    checkpoint_every: timedelta = timedelta(minutes=5)
    max_price: Decimal | None = None
    max_duration: timedelta = timedelta(hours=24)
    budget: Decimal | None = None
    fallback: Fallback = Fallback.NONE
    max_restarts: int = 0
    max_wait: timedelta = timedelta(hours=1)
    disk_gib: int = 100
    pace: Pace = field(default_factory=Pace)
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """More labels of its machines, such as team, without our prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of an attempt."""

    rank: int
    instance_id: str
    private_address: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """USD, an estimate by the cloud's published rules until the bill confirms it. None is unknown, never 0."""

    machine: Decimal | None
    disk: Decimal = Decimal(0)
    network: Decimal = Decimal(0)
    store: Decimal = Decimal(0)
    on_demand: Decimal | None = None
    """What one machine that nobody interrupts would have cost: without work done twice and starts after the first."""

    @property
    def paid(self) -> Decimal | None:
        return None if self.machine is None else self.machine + self.disk + self.network + self.store


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One purchase of machines and what became of it. Token and offerings are written before the cloud is called."""

    number: int
    token: str
    offerings: tuple[Offering, ...]
    state: AttemptState
    intended_at: datetime
    intended_by: str = ""
    """The process, as leases name it."""
    unlisted_since: datetime | None = None
    """Of a launch: since when the cloud says that it was made, and lists nothing of it."""
    nodes: tuple[Node, ...] = ()
    offering: Offering | None = None
    """The one that was bought."""
    bought_at: datetime | None = None
    """When the launch call returned, by our clock: timers count from here."""
    launched_at: datetime | None = None
    """By the cloud's clock, as `ended_at`: what is billed lies between the two."""
    took_to_boot: timedelta | None = None
    """From its purchase to its agent's start: by the machine's clock, and no more than had passed when it was heard."""
    took_to_start: timedelta | None = None
    """From its agent's start to the program's, by its own clock: restoring and set-up."""
    silent_report: datetime | None = None
    """The report that looked too old, and since when nothing newer came, by our clock: that may be the one at fault."""
    silent_since: datetime | None = None
    vouched: Patience | None = None
    """Of a machine that looks lost: its status checks passed, and may be refused since."""
    taken_at: datetime | None = None
    """When the cloud takes the machine back, as it announced; by its clock."""
    stop_asked_at: datetime | None = None
    unsettled: Patience | None = None
    """It is over, and what it cost is refused."""
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    exit_code: int | None = None
    message: str = ""
    last_lines: tuple[str, ...] = ()
    """Of a program that failed."""
    work_lost: timedelta | None = None
    deadline: datetime | None = None
    """When the machine goes home by itself."""
    ends_by: datetime | None = None
    """The deadline that it booted with: no later one can be given."""
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An offering that was refused, and until when it is left alone. `until` None: for good."""

    region: str
    zone: str
    instance_type: str
    capacity_type: str
    code: str
    message: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the machine reads of the record. Its shape is older than any machine that runs: add, never change."""

    attempt: int
    run: bool
    reason: str = ""
    deadline: datetime | None = None
    token: str = ""
    """Of the launch that is meant: a number can be had by two of them, of which one was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who steps the job, until when."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The newest complete checkpoint, from its manifest."""

    sequence: int
    attempt: int
    """Which attempt saved it."""
    at: datetime
    bytes: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the job ends, decided before the cleaning up starts."""

    state: JobState
    exit_code: int
    """That of `spot-train`."""
    message: str = ""
    hint: str = ""
    program_exit_code: int | None = None
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """All that is known of a job. `writer` names the last write, so that a refused one can be told from our own."""

    version: int
    id: str
    writer: str
    revision: int
    owner: str
    spec: JobSpec
    store: str
    """Address of the job store, such as s3://bucket."""
    store_region: str
    agent: Archive
    created_at: datetime
    asked: JobSpec | None = None
    """As the job was first asked for, where it was resumed with limits of its own."""
    state: JobState = JobState.PENDING
    orders: Orders = field(default_factory=lambda: Orders(attempt=0, run=True))
    lease: Lease | None = None
    identity: str = ""
    """Name of the machine's identity, written before it is made."""
    identity_asked: Patience | None = None
    """Since the job was started or resumed."""
    identity_made: bool = False
    attempts: tuple[Attempt, ...] = ()
    earlier: int = 0
    """How many of them are of before the job was last resumed: they say nothing of how it ends."""
    regions_tried: tuple[str, ...] = ()
    """Where a launch was ever asked for: a late one shows up there."""
    refusals: tuple[Refusal, ...] = ()
    waiting_since: datetime | None = None
    next_try_at: datetime | None = None
    tries: int = 0
    """Launch calls so far; each has its own token."""
    rounds: int = 0
    """How often in a row every offering refused."""
    cancel_asked_at: datetime | None = None
    checkpoint: Checkpoint | None = None
    outcome: Outcome | None = None
    ended_at: datetime | None = None

    @property
    def recent(self) -> tuple[Attempt, ...]:
        """The attempts since the job was last started or resumed."""
        return self.attempts[self.earlier :]

    @property
    def attempt(self) -> Attempt | None:
        """The newest."""
        return self.attempts[-1] if self.attempts else None
