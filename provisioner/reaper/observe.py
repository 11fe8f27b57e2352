"""Gathers what is known of every machine of ours. What cannot be read is named, and never taken for nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from provisioner.catalog import labels, load
from provisioner.clouds.base import CloudProvider, MeasuresUtilisation, SeesSessions
from provisioner.domain.estate import AcceleratorKind, Holding, Look, Metric, Series, Tenure
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import JobRecord
from provisioner.domain.machines import ImageKind, MachineType
from provisioner.errors import AccelctlError, CloudError
from provisioner.jobs.objects import Objects
from provisioner.reaper import marks
from provisioner.reaper.activity import lacking
from provisioner.reaper.decide import may_go, settled
from provisioner.reaper.known import KnownJobs
from provisioner.reaper.observed import Heartbeat, JobStanding, Observed
from provisioner.reaper.pulses import Pulse, pulses
from provisioner.reaper.thresholds import Thresholds

DEVICES = frozenset({Metric.ACCELERATOR})
MEMORY = frozenset({Metric.ACCELERATOR_MEMORY})
RUNGS = (DEVICES, frozenset({Metric.CPU}), frozenset({Metric.NETWORK, Metric.DISK}), MEMORY)
"""What is asked first, and of what is not settled by then, next; memory, of those alone that would go now."""
AT_ONCE = 500
"""Machines of one look: its failure is theirs alone."""
REGIONS_AT_ONCE = 8
KINDS = {ImageKind.NVIDIA: AcceleratorKind.NVIDIA, ImageKind.NEURON: AcceleratorKind.NEURON}

T = TypeVar("T")


class ReapableCloud(CloudProvider, MeasuresUtilisation, SeesSessions, Protocol):
    """What a sweep needs of a cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A region that could not be looked at, and why."""

    region: str
    reason: str

    @classmethod
    def of(cls, region: str, refusal: AccelctlError) -> "Blind":
        return cls(region=region, reason=refusal.message)


class Observer:
    """Looks at one account: at what is ours, or at everybody's accelerators. Every look is at the cloud's own time."""

    def __init__(
        self,
        *,
        cloud: ReapableCloud,
        objects: Objects,
        jobs: KnownJobs,
        thresholds: Thresholds,
        everybodys: bool = False,
    ) -> None:
        self._cloud, self._objects, self._jobs, self._thresholds = cloud, objects, jobs, thresholds
        self._everybodys = everybodys
        self.blind: list[Blind] = []

    def machines(self, regions: Sequence[str], now: datetime) -> Iterator[Observed]:
        """Of every region that can be read, side by side; the others are kept in `blind`."""
        for found in side_by_side(lambda region: self._seen(region, now), regions):
            if isinstance(found, Blind):
                self.blind.append(found)
            else:
                yield from found

    def _seen(self, region: str, now: datetime) -> list[Observed] | Blind:
        try:
            return self.region(region, self.holdings(region), now)
        except AccelctlError as refusal:
            return Blind.of(region, refusal)

    def holdings(self, region: str, only: Sequence[str] = ()) -> tuple[Holding, ...]:
        """What is looked at there; of others' machines those alone that have accelerators."""
        held = self._cloud.holdings(region, everybodys=self._everybodys, only=only)
        return tuple(one for one in held if labels.MANAGED in one.instance.labels or has_accelerators(one.instance))

    def region(self, region: str, found: Sequence[Holding], now: datetime) -> list[Observed]:
        """Agents first, then rung by rung: nothing is asked of a machine that is settled, nor what its agent told."""
        told, unreadable = self._pulses(region, found)
        machines = [self.observed(one, told.get(one.instance.id), unreadable, now) for one in found]
        for metrics in RUNGS:
            read = dict(self._told(region, machines, metrics, now))
            machines = [read.get(one.instance.id, one) for one in machines]
        return self._attended(region, machines, now)

    def _attended(self, region: str, machines: list[Observed], now: datetime) -> list[Observed]:
        """Somebody's session keeps a machine. Asked once, for those of whom no agent tells and that may go."""
        asked = {one.instance.id for one in machines if one.session_open is None and not self._settled(one, now)}
        try:
            held = self._cloud.attended(region) if asked else frozenset[str]()
        except AccelctlError as refusal:
            why = f"sessions: {refusal.message}"
            return [
                replace(one, unreadable=(*one.unreadable, why)) if one.instance.id in asked else one for one in machines
            ]
        return [replace(one, session_open=True) if one.instance.id in held else one for one in machines]

    def _settled(self, one: Observed, now: datetime) -> bool:
        return settled(one, self._thresholds.of(one.instance.labels), now)

    def again(self, region: str, ids: Sequence[str], now: datetime) -> list[Observed]:
        """A second look at these alone, with nothing remembered. Raises CloudError."""
        self._jobs = self._jobs.again()
        return self.region(region, self.holdings(region, ids), now)

    def _pulses(self, region: str, found: Sequence[Holding]) -> tuple[Mapping[str, Pulse], tuple[str, ...]]:
        """By instance, and what could not be read. Without a machine of a job there is nothing to ask for."""
        if not any(labels.JOB in one.instance.labels for one in found):
            return {}, ()
        try:
            return pulses(self._objects, region), ()
        except AccelctlError as refusal:
            return {}, (f"heartbeats: {refusal.message}",)

    def _told(
        self, region: str, machines: Sequence[Observed], metrics: frozenset[Metric], now: datetime
    ) -> Iterator[tuple[str, Observed]]:
        """Those that were asked for, by id, with the answer. What is refused is named, once for all."""
        groups: dict[tuple[AcceleratorKind, timedelta], list[Observed]] = {}
        for one in machines:
            held = self._thresholds.of(one.instance.labels)
            if worth_asking(one, metrics, held, now):
                window = held.quiet[one.accelerator].window
                groups.setdefault((one.accelerator, window), []).append(one)
        for (kind, window), members in groups.items():
            if kind is AcceleratorKind.NONE and metrics in (DEVICES, MEMORY):
                continue
            for start in range(0, len(members), AT_ONCE):
                part = members[start : start + AT_ONCE]
                look = Look(instances=[one.instance for one in part], kind=kind, metrics=metrics, window=window)
                yield from self._looked(region, look, part, now)

    def _looked(
        self, region: str, look: Look, members: Sequence[Observed], now: datetime
    ) -> Iterator[tuple[str, Observed]]:
        try:
            series = self._cloud.utilisation(region, look, now)
        except CloudError as refusal:
            for one in members:
                yield one.instance.id, replace(one, unreadable=(*one.unreadable, f"metrics: {refusal.message}"))
            return
        for one in members:
            yield one.instance.id, replace(one, series=(*series.get(one.instance.id, ()), *one.series))

    def observed(self, holding: Holding, pulse: Pulse | None, unreadable: tuple[str, ...], now: datetime) -> Observed:
        instance = holding.instance
        machine = load().find(instance.cloud, instance.instance_type)
        job = instance.labels.get(labels.JOB, "")
        held = self._thresholds.of(instance.labels)
        heard = pulse if pulse and pulse.job == job and pulse.at <= now + held.limits.clock_skew else None
        standing, record = self.job(instance, job)
        kind = kind_of(machine)
        return Observed(
            instance=instance, session_open=people_on(heard, held, now), accelerator=kind, devices=devices(machine),
            tenure=holding.tenure, owner=holding.owner, owner_name=holding.owner_name, heartbeat=heartbeat(heard),
            series=series(heard, held, kind, now), job=standing,
            mark=marks.read(instance.labels[labels.REAP]) if labels.REAP in instance.labels else None,
            price_per_hour=price(machine, holding, record),
            on_demand_per_hour=machine.on_demand_in(instance.region) if machine else None,
            local_disks=bool(machine and machine.local_disk_gb), request=holding.request,
            instance_store_root=holding.instance_store_root, unreadable=unreadable if job else (),
        )  # fmt: skip

    def job(self, instance: Instance, job: str) -> tuple[JobStanding, JobRecord | None]:
        """What the record says of the machine."""
        if not job:
            return JobStanding.NONE, None
        try:
            record = self._jobs.find(job)
        except AccelctlError:
            return JobStanding.UNREADABLE, None
        if record is None:
            home = instance.labels.get(labels.STORE, self._objects.name)
            return (JobStanding.OVER if home == self._objects.name else JobStanding.ELSEWHERE), None
        return standing(record, instance.id), record


def worth_asking(one: Observed, metrics: frozenset[Metric], thresholds: Thresholds, now: datetime) -> bool:
    """Whether the answer could change what is decided."""
    if metrics == MEMORY:
        return not one.of(Metric.ACCELERATOR_MEMORY) and may_go(one, thresholds, now)
    return lacking(one, metrics, thresholds, now) and not settled(one, thresholds, now)


def side_by_side(work: Callable[[str], T], regions: Sequence[str]) -> Iterator[T]:
    """What each region gives, in their order; a few at once."""
    with ThreadPoolExecutor(REGIONS_AT_ONCE) as pool:
        yield from pool.map(work, regions)


def standing(record: JobRecord, instance_id: str) -> JobStanding:
    """A launch under way may be this very machine: it is live until the record says otherwise."""
    if record.ended_at is not None:
        return JobStanding.OVER
    last = record.attempt
    if last is None or (last.nodes and instance_id not in {node.instance_id for node in last.nodes}):
        return JobStanding.OVER
    return JobStanding.LIVE


def series(pulse: Pulse | None, thresholds: Thresholds, kind: AcceleratorKind, now: datetime) -> tuple[Series, ...]:
    """None of an agent that has fallen silent."""
    if pulse is None or now - pulse.at > thresholds.limits.heartbeat_fresh:
        return ()
    return pulse.series(thresholds.quiet[kind].window, now, thresholds.limits.coverage)


def people_on(pulse: Pulse | None, thresholds: Thresholds, now: datetime) -> bool | None:
    """Whether somebody is logged in; None where no agent tells, or only one that has fallen silent."""
    if pulse is None or pulse.sessions is None or now - pulse.at > thresholds.limits.heartbeat_fresh:
        return None
    return pulse.sessions > 0


def heartbeat(pulse: Pulse | None) -> Heartbeat | None:
    if pulse is None:
        return None
    silent = (f"{pulse.silent} of its devices give no utilisation",) if pulse.silent else ()
    return Heartbeat(at=pulse.at, phase=pulse.phase, silent=silent, devices=pulse.devices, memory=pulse.memory)


def has_accelerators(instance: Instance) -> bool:
    machine = load().find(instance.cloud, instance.instance_type)
    return machine is not None and kind_of(machine) is not AcceleratorKind.NONE


def kind_of(machine: MachineType | None) -> AcceleratorKind:
    """A type that the catalog lacks is taken for one whose accelerators nobody sees."""
    if machine is None:
        return AcceleratorKind.NVIDIA
    return KINDS.get(machine.image, AcceleratorKind.NONE)


def devices(machine: MachineType | None) -> int | None:
    return machine.accelerators.count if machine and machine.accelerators else None


def price(machine: MachineType | None, holding: Holding, record: JobRecord | None) -> Decimal | None:
    """USD per hour: what the job bought it for, or on demand; None where neither is known."""
    if record is not None and record.attempt is not None and record.attempt.offering is not None:
        return record.attempt.offering.price_per_hour
    if machine is None or holding.tenure is not Tenure.ON_DEMAND:
        return None
    return machine.on_demand_in(holding.instance.region)
