"""Gathers what is known of every machine of ours. What cannot be read is named, and never taken for nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Protocol

from provisioner.catalog import labels, load
from provisioner.clouds.base import CloudProvider, MeasuresUtilisation
from provisioner.domain.estate import AcceleratorKind, Holding, Look, Metric, Series, Tenure
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import JobRecord
from provisioner.domain.machines import ImageKind, MachineType
from provisioner.domain.reports import NodeReport
from provisioner.errors import AccelctlError, CloudError
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import Records
from provisioner.reaper import marks
from provisioner.reaper.decide import settled
from provisioner.reaper.observed import Heartbeat, JobStanding, Observed
from provisioner.reaper.thresholds import Thresholds

DEVICES = frozenset({Metric.ACCELERATOR})
RUNGS = (DEVICES, frozenset({Metric.CPU}), frozenset({Metric.NETWORK, Metric.DISK}))
"""What is asked first, and of what is not settled by then, next."""
KINDS = {ImageKind.NVIDIA: AcceleratorKind.NVIDIA, ImageKind.NEURON: AcceleratorKind.NEURON}


class ReapableCloud(CloudProvider, MeasuresUtilisation, Protocol):
    """What a sweep needs of a cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A region that could not be looked at, and why."""

    region: str
    reason: str


class Observer:
    """Looks at one account: at what is ours, or at everybody's accelerators. Every look is at the cloud's own time."""

    def __init__(
        self,
        *,
        cloud: ReapableCloud,
        records: Records,
        progress: Progress,
        thresholds: Thresholds,
        everybodys: bool = False,
    ) -> None:
        self._cloud, self._records, self._progress, self._thresholds = cloud, records, progress, thresholds
        self._everybodys = everybodys
        self.blind: list[Blind] = []

    def machines(self, regions: Sequence[str], now: datetime) -> Iterator[Observed]:
        """Of every region that can be read; the others are kept in `blind`."""
        for region in regions:
            try:
                found = self.holdings(region)
            except CloudError as refusal:
                self.blind.append(Blind(region=region, reason=refusal.message))
                continue
            yield from self.region(region, found, now)

    def holdings(self, region: str, only: Sequence[str] = ()) -> tuple[Holding, ...]:
        """What is looked at there; of others' machines those alone that have accelerators."""
        held = self._cloud.holdings(region, everybodys=self._everybodys, only=only)
        return tuple(one for one in held if labels.MANAGED in one.instance.labels or has_accelerators(one.instance))

    def region(self, region: str, found: Sequence[Holding], now: datetime) -> list[Observed]:
        """Rung by rung: nothing is asked of a machine that is settled."""
        machines = [self.observed(one) for one in found]
        for metrics in RUNGS:
            told = dict(self._told(region, machines, metrics, now))
            machines = [told.get(one.instance.id, one) for one in machines]
        return machines

    def _told(
        self, region: str, machines: Sequence[Observed], metrics: frozenset[Metric], now: datetime
    ) -> Iterator[tuple[str, Observed]]:
        """Those that were asked for, by id, with the answer. What is refused is named, once for all."""
        groups: dict[tuple[AcceleratorKind, timedelta], list[Observed]] = {}
        for one in machines:
            if not one.unreadable and not settled(one, self._thresholds, now):
                window = self._thresholds.quiet[one.accelerator].window
                groups.setdefault((one.accelerator, window), []).append(one)
        for (kind, window), members in groups.items():
            if kind is AcceleratorKind.NONE and metrics is DEVICES:
                continue
            look = Look(instances=[one.instance for one in members], kind=kind, metrics=metrics, window=window)
            yield from self._looked(region, look, members, now)

    def _looked(
        self, region: str, look: Look, members: Sequence[Observed], now: datetime
    ) -> Iterator[tuple[str, Observed]]:
        try:
            series = self._cloud.utilisation(region, look, now)
        except CloudError as refusal:
            for one in members:
                yield one.instance.id, replace(one, unreadable=(f"metrics: {refusal.message}",))
            return
        for one in members:
            yield one.instance.id, replace(one, series=(*series.get(one.instance.id, ()), *one.series))

    def observed(self, holding: Holding) -> Observed:
        instance = holding.instance
        machine = load().find(instance.cloud, instance.instance_type)
        standing, record, report = self.job(instance)
        return Observed(
            instance=instance, accelerator=kind_of(machine), tenure=holding.tenure, owner=holding.owner,
            owner_name=holding.owner_name, series=glimpses(report), heartbeat=heartbeat(report),
            job=standing, mark=marks.read(instance.labels[labels.REAP]) if labels.REAP in instance.labels else None,
            price_per_hour=price(machine, holding, record), local_disks=bool(machine and machine.local_disk_gb),
            instance_store_root=holding.instance_store_root, request=holding.request,
        )  # fmt: skip

    def job(self, instance: Instance) -> tuple[JobStanding, JobRecord | None, NodeReport | None]:
        """What the record says of the machine, and what the machine said."""
        job = instance.labels.get(labels.JOB, "")
        if not job:
            return JobStanding.NONE, None, None
        try:
            if job not in self.known:
                return JobStanding.OVER, None, None
            record = self._records.read(job).record
            return standing(record, instance.id), record, self._report(record, instance.id)
        except AccelctlError:
            return JobStanding.UNREADABLE, None, None

    @cached_property
    def known(self) -> frozenset[str]:
        """The jobs that have a record. Raises CloudError."""
        return frozenset(self._records.ids())

    def _report(self, record: JobRecord, instance_id: str) -> NodeReport | None:
        found = self._progress.report(record.id, record.attempts[-1].number) if record.attempts else None
        return found if found and found.instance_id == instance_id else None


def standing(record: JobRecord, instance_id: str) -> JobStanding:
    """A launch under way may be this very machine: it is live until the record says otherwise."""
    if record.ended_at is not None:
        return JobStanding.OVER
    last = record.attempt
    if last is None or (last.nodes and instance_id not in {node.instance_id for node in last.nodes}):
        return JobStanding.OVER
    return JobStanding.LIVE


def heartbeat(report: NodeReport | None) -> Heartbeat | None:
    if report is None:
        return None
    silent = tuple(f"{one.device}: {one.reason}" for one in report.utilisation if one.percent is None and one.reason)
    progress_at = report.checkpoint.at if report.checkpoint else None
    return Heartbeat(at=report.at, phase=report.phase, silent=silent, progress_at=progress_at)


def glimpses(report: NodeReport | None) -> tuple[Series, ...]:
    """The agent's last sample of each device."""
    return tuple(
        Series(
            metric=Metric.CPU if one.kind == "cpu" else Metric.ACCELERATOR,
            values=(one.percent,),
            device=one.device,
            glimpse=True,
        )
        for one in (report.utilisation if report else ())
        if one.percent is not None
    )


def has_accelerators(instance: Instance) -> bool:
    machine = load().find(instance.cloud, instance.instance_type)
    return machine is not None and kind_of(machine) is not AcceleratorKind.NONE


def kind_of(machine: MachineType | None) -> AcceleratorKind:
    """A type that the catalog lacks is taken for one whose accelerators nobody sees."""
    if machine is None:
        return AcceleratorKind.NVIDIA
    return KINDS.get(machine.image, AcceleratorKind.NONE)


def price(machine: MachineType | None, holding: Holding, record: JobRecord | None) -> Decimal | None:
    """USD per hour: what the job bought it for, or on demand; None where neither is known."""
    if record is not None and record.attempt is not None and record.attempt.offering is not None:
        return record.attempt.offering.price_per_hour
    if machine is None or holding.tenure is not Tenure.ON_DEMAND:
        return None
    return machine.on_demand_in(holding.instance.region)
