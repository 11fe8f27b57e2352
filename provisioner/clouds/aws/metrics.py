"""What CloudWatch knows of machines: 500 series a call, the highest of each five minutes, dimensions as they are.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html; EC2's own metrics:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from provisioner.catalog import labels
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.estate import ALL_DEVICES, AcceleratorKind, Look, Metric, Series
from provisioner.domain.instances import Instance

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

QUERIES = 500
PERIOD = timedelta(minutes=5)
DELAY = timedelta(minutes=5)
"""The newest period may still be filling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One metric of CloudWatch and what it is to us. Sums are bytes in a period: they become bytes per second."""

    namespace: str
    name: str
    metric: Metric
    device: str = ""
    summed: bool = False


HOST = (
    Source(namespace="AWS/EC2", name="CPUUtilization", metric=Metric.CPU),
    Source(namespace="AWS/EC2", name="NetworkIn", metric=Metric.NETWORK, device="in", summed=True),
    Source(namespace="AWS/EC2", name="NetworkOut", metric=Metric.NETWORK, device="out", summed=True),
    Source(namespace="AWS/EC2", name="EBSReadBytes", metric=Metric.DISK, device="read", summed=True),
    Source(namespace="AWS/EC2", name="EBSWriteBytes", metric=Metric.DISK, device="written", summed=True),
)
AGENT = Source(namespace="accelctl", name="AcceleratorUtilisation", metric=Metric.ACCELERATOR)
"""Each of a machine's devices, and the highest of them, which our agent publishes for its job."""
FOUND = {
    AcceleratorKind.NVIDIA: Source(
        namespace="CWAgent", name="nvidia_smi_utilization_gpu", metric=Metric.ACCELERATOR
    ),
    AcceleratorKind.NEURON: Source(namespace="CWAgent", name="neuroncore_utilization", metric=Metric.ACCELERATOR),
}  # fmt: skip
"""What others publish, with whatever dimensions they carry: these are listed first."""
AGENT_MEMORY = Source(namespace="accelctl", name="AcceleratorMemoryHeld", metric=Metric.ACCELERATOR_MEMORY)
HELD = Source(namespace="CWAgent", name="nvidia_smi_memory_used", metric=Metric.ACCELERATOR_MEMORY)
WHOLE = Source(namespace="CWAgent", name="nvidia_smi_memory_total", metric=Metric.ACCELERATOR_MEMORY)
"""MiB of a device, with the dimensions of its utilisation."""
MEASURED = (AcceleratorKind.NVIDIA,)
DEVICE_NAMES = ("index", "NeuronCore", "Device")
OUR_DEVICE = re.compile(r"nvidia(\d+) ")
"""How our agent names the device whose index others give."""
LISTED_RECENTLY = timedelta(hours=3)
"""What ListMetrics calls recently active; else it lists what had a value within two weeks."""
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One series to read."""

    instance: str
    source: Source
    dimensions: Dimensions


OWN = "accelctl/reaper"
"""The namespace of what the reaper says of itself."""


def publish(sessions: Sessions, values: Mapping[str, float]) -> None:
    """Of the moment, in the region of the caller."""
    rows: Any = [{"MetricName": name, "Value": value} for name, value in values.items()]
    with translated("cloudwatch:PutMetricData"):
        sessions.client("cloudwatch", sessions.anywhere).put_metric_data(Namespace=OWN, MetricData=rows)


class Utilisation:
    """Reads series. Which dimensions a namespace carries in a region is asked once."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._listed: dict[tuple[str, Source, bool], Mapping[str, Iterable[Dimensions]]] = {}

    def read(self, region: str, look: Look, now: datetime) -> Mapping[str, tuple[Series, ...]]:
        """By instance. A series that CloudWatch does not have is absent: missing is not zero."""
        found: dict[str, tuple[Series, ...]] = {}
        expected = look.window // PERIOD
        whole: dict[tuple[str, Dimensions], float] = {}
        for question, highest, count, silent in self._answered(region, self._questions(region, look), look.window, now):
            device = question.instance, question.dimensions
            if question.source is WHOLE:
                whole[device] = highest
                continue
            value = in_unit(question.source, highest, whole.get(device))
            if value is None:
                continue
            series = Series(
                metric=question.source.metric, values=(value,), coverage=min(count / expected, 1.0),
                device=question.source.device or device_of(question.dimensions), silent_for=silent,
            )  # fmt: skip
            found[question.instance] = (*found.get(question.instance, ()), series)
        return found

    def _questions(self, region: str, look: Look) -> Iterator[Asked]:
        for one in look.instances:
            for source in HOST:
                if source.metric in look.metrics:
                    yield Asked(instance=one.id, source=source, dimensions=(("InstanceId", one.id),))
            if Metric.ACCELERATOR in look.metrics:
                yield from self._devices(region, one, look)
            if Metric.ACCELERATOR_MEMORY in look.metrics:
                yield from self._memory(region, one, look)

    def _devices(self, region: str, one: Instance, look: Look) -> Iterator[Asked]:
        """Only a machine of a job has our agent."""
        ours = (AGENT,) if labels.JOB in one.labels else ()
        for source in (*ours, *([FOUND[look.kind]] if look.kind in FOUND else [])):
            for dimensions in self._dimensions(region, source, look.window).get(one.id, ()):
                yield Asked(instance=one.id, source=source, dimensions=dimensions)

    def _memory(self, region: str, one: Instance, look: Look) -> Iterator[Asked]:
        """Of each device all that it has comes first, then what is held of it."""
        if job := one.labels.get(labels.JOB):
            yield Asked(instance=one.id, source=AGENT_MEMORY, dimensions=(("InstanceId", one.id), ("Job", job)))
        if look.kind not in MEASURED:
            return
        for dimensions in self._dimensions(region, FOUND[look.kind], look.window).get(one.id, ()):
            for source in (WHOLE, HELD):
                yield Asked(instance=one.id, source=source, dimensions=dimensions)

    def _dimensions(self, region: str, source: Source, window: timedelta) -> Mapping[str, Iterable[Dimensions]]:
        """By instance, of the series that may have a value within the window. One that is not listed is missing."""
        recently: Any = {"RecentlyActive": "PT3H"} if window + 2 * DELAY <= LISTED_RECENTLY else {}
        key = (region, source, bool(recently))
        if key not in self._listed:
            found: dict[str, dict[Dimensions, None]] = {}
            with translated("cloudwatch:ListMetrics"):
                pages = self._watch(region).get_paginator("list_metrics").paginate(
                    Namespace=source.namespace, MetricName=source.name, **recently
                )  # fmt: skip
                for metric in (metric for page in pages for metric in page["Metrics"]):
                    dimensions = tuple((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
                    found.setdefault(dict(dimensions).get("InstanceId", ""), {})[dimensions] = None
            self._listed[key] = found
        return self._listed[key]

    def _answered(
        self, region: str, asked: Iterable[Asked], window: timedelta, now: datetime
    ) -> Iterator[tuple[Asked, float, int, timedelta]]:
        """The highest value of each question that has any, how many it has, and for how long it has had none."""
        end = datetime.fromtimestamp((now - DELAY).timestamp() // 300 * 300, now.tzinfo)
        remaining = iter(asked)
        while batch := list(islice(remaining, QUERIES)):
            self._sessions.allowance.points(region, len(batch) * (window // PERIOD))
            values = self._values(region, batch, end - window, end)
            for number, one in enumerate(batch):
                if told := values.get(f"m{number}"):
                    yield one, max(told.values()), len(told), max(end - PERIOD - max(told), timedelta(0))

    def _values(
        self, region: str, batch: Sequence[Asked], start: datetime, end: datetime
    ) -> Mapping[str, Mapping[datetime, float]]:
        """By the id of the query, each with the time at which its period begins."""
        values: dict[str, dict[datetime, float]] = {}
        with translated("cloudwatch:GetMetricData"):
            pages = self._watch(region).get_paginator("get_metric_data").paginate(
                MetricDataQueries=[query(number, one) for number, one in enumerate(batch)],  # type: ignore[arg-type]
                StartTime=start, EndTime=end, ScanBy="TimestampAscending",
            )  # fmt: skip
            for result in (result for page in pages for result in page["MetricDataResults"]):
                held = values.setdefault(result.get("Id", ""), {})
                held.update(zip(result.get("Timestamps", []), result.get("Values", []), strict=True))
        return values

    def _watch(self, region: str) -> "CloudWatchClient":
        return self._sessions.client("cloudwatch", region)


def in_unit(source: Source, highest: float, whole: float | None) -> float | None:
    """As Metric says it; None where it is not known of how much memory."""
    if source is HELD:
        return 100 * highest / whole if whole else None
    return highest / PERIOD.total_seconds() if source.summed else highest


def query(number: int, asked: Asked) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in asked.dimensions]
    metric = {"Namespace": asked.source.namespace, "MetricName": asked.source.name, "Dimensions": dimensions}
    stat = {
        "Metric": metric,
        "Period": int(PERIOD.total_seconds()),
        "Stat": "Sum" if asked.source.summed else "Maximum",
    }
    return {"Id": f"m{number}", "MetricStat": stat, "ReturnData": True}


def device_of(dimensions: Iterable[tuple[str, str]]) -> str:
    named = dict(dimensions)
    told = next((named[name] for name in DEVICE_NAMES if name in named), ALL_DEVICES)
    ours = OUR_DEVICE.match(told)
    return ours[1] if ours else told
