"""Small worlds for tests of jobs: a store in memory, a cloud in memory, a clock that is moved by hand."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from obstore.store import MemoryStore

from provisioner.clock import ManualClock
from provisioner.clouds.fake import FakeCloud
from provisioner.domain.costs import Tariff
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Archive, Attempt, EndReason, JobRecord, JobSpec, Pace
from provisioner.domain.offerings import CapacityType, Pool
from provisioner.domain.reports import NodeEnd, NodeReport, Notice, Phase, SavedCheckpoint
from provisioner.errors import RateLimited
from provisioner.jobs.boarding import UserData
from provisioner.jobs.cancel import ask_to_cancel
from provisioner.jobs.objects import Objects
from provisioner.jobs.records import VERSION, Records, prefix
from provisioner.jobs.step import Stepped, Stepper

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
TARIFF = Tariff(
    disk_gib_month=Decimal("0.08"), store_gib_month=Decimal("0.023"), put_per_thousand=Decimal("0.005"),
)  # fmt: skip
JOB = "20260105-120000-abcde"
TYPE = "p4d.24xlarge"


def a_spec(**changes: Any) -> JobSpec:
    plain = JobSpec(name="demo", command=("python", "train.py"), cloud="fake", instance_types=("p4d.24xlarge",))
    return replace(plain, **changes)


def a_record(**changes: Any) -> JobRecord:
    plain = JobRecord(
        version=VERSION, id=JOB, writer="w", revision=0, owner="me", spec=a_spec(), store="memory://store",
        store_region="us-east-1", agent=Archive(key="agents/a.pyz", sha256="a", bytes=1), created_at=START,
    )  # fmt: skip
    return replace(plain, **changes)


def user_data(boarding: Any) -> str:
    return json.dumps(dict(boarding), sort_keys=True)


@dataclass
class World:
    """A job and its surroundings."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.objects = Objects(self.store, name="memory")
        self.cloud = FakeCloud(clock=self.clock)
        self.records = Records(self.objects)
        self.stepper = self.another_stepper("first")

    def another_stepper(self, holder: str, words: UserData = user_data) -> Stepper:
        return Stepper(
            objects=self.objects, cloud=self.cloud, clock=self.clock, holder=holder, tariff=TARIFF, user_data=words
        )

    def submit(self, **changes: Any) -> JobRecord:
        return self.records.create(a_record(spec=a_spec(**changes))).record

    @property
    def record(self) -> JobRecord:
        return self.records.read(JOB).record

    @property
    def attempt(self) -> Attempt:
        return self.record.attempts[-1]

    @property
    def machine(self) -> Instance:
        """The newest machine of the job, as the cloud has it."""
        return max(self.cloud.instances, key=lambda instance: instance.id)

    def step(self) -> Stepped:
        return self.stepper.step(JOB)

    def cancel(self) -> None:
        ask_to_cancel(self.records, JOB, self.clock.now())

    def pass_time(self, duration: timedelta) -> None:
        self.clock.advance(duration)

    def step_for(self, duration: timedelta, every: timedelta = timedelta(minutes=1)) -> None:
        end = self.clock.now() + duration
        while self.clock.now() < end:
            self.pass_time(every)
            self.step()

    def step_in_vain(self, times: int, *, pause: timedelta, why: type[Exception] = RateLimited) -> None:
        """Each step is refused, and followed by a pause."""
        for _ in range(times):
            with pytest.raises(why):
                self.step()
            self.pass_time(pause)

    # the machine's side -----------------------------------------------------------------------------------------------

    def report(self, **changes: Any) -> None:
        """What the agent of the newest attempt writes."""
        plain = NodeReport(
            version=1, attempt=self.attempt.number, rank=0, instance_id=self.machine.id, at=self.clock.now(),
            phase=Phase.RUN, booted_at=self.attempt.bought_at or START, started_at=self.attempt.bought_at,
        )  # fmt: skip
        content = msgspec.json.encode(replace(plain, **changes))
        self.objects.put(f"{prefix(JOB)}attempts/{self.attempt.number}/nodes/0.json", content)

    def report_end(self, reason: EndReason, *, exit_code: int = 0, **changes: Any) -> None:
        end = NodeEnd(reason=reason, at=self.clock.now(), exit_code=exit_code, last_lines=("bye",))
        self.report(phase=Phase.ENDED, program_ended_at=self.clock.now(), ended=end, **changes)

    def notice(self, within: timedelta = timedelta(minutes=2)) -> Notice:
        return Notice(at=self.clock.now(), ends_at=self.clock.now() + within)

    def save(self, sequence: int, *, size: int = 1000) -> SavedCheckpoint:
        """A complete checkpoint, as of now."""
        at = self.clock.now().isoformat()
        manifest = {
            "version": 1, "sequence": sequence, "job": JOB, "attempt": self.attempt.number, "world_size": 1, "at": at,
            "bytes": size, "parts": [{"rank": 0, "files": [{"path": "checkpoints/a", "bytes": size, "sha256": "x"}]}],
        }  # fmt: skip
        self.objects.put(f"{prefix(JOB)}checkpoints/{sequence:08}.json", json.dumps(manifest).encode())
        return SavedCheckpoint(sequence=sequence, at=self.clock.now(), bytes=size, files=1)


QUICK = Pace(poll_every=timedelta(seconds=1), settle=timedelta(seconds=2))


def pool(zone: str, capacity: CapacityType = CapacityType.SPOT) -> Pool:
    return Pool(region=zone[:-1], zone=zone, instance_type=TYPE, capacity_type=capacity)


def all_pools() -> list[Pool]:
    return [pool(zone) for zone in ("us-east-1a", "us-east-1b", "us-east-1c", "us-west-2a", "us-west-2b")]


def launched(world: World, **changes: object) -> None:
    world.submit(**changes)
    world.step()
    world.pass_time(timedelta(seconds=30))
    world.report()
    world.step()
