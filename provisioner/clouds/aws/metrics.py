"""What CloudWatch knows of machines: 500 series a call, the highest of each five minutes, dimensions as they are.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html; EC2's own metrics:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from provisioner.catalog import labels
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.estate import AcceleratorKind, Look, Metric, Series
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
"""The highest of a machine's devices, which our agent publishes: its dimensions are the machine and its job."""
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
DEVICE_NAMES = ("index", "NeuronCore")
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
        self._listed: dict[tuple[str, Source], Mapping[str, Iterable[Dimensions]]] = {}

    def read(self, region: str, look: Look, now: datetime) -> Mapping[str, tuple[Series, ...]]:
        """By instance. A series that CloudWatch does not have is absent: missing is not zero."""
        found: dict[str, tuple[Series, ...]] = {}
        expected = look.window // PERIOD
        whole: dict[tuple[str, Dimensions], float] = {}
        for question, highest, count in self._answered(region, self._questions(region, look), look.window, now):
            device = question.instance, question.dimensions
            if question.source is WHOLE:
                whole[device] = highest
                continue
            value = in_unit(question.source, highest, whole.get(device))
            if value is None:
                continue
            series = Series(
                metric=question.source.metric, values=(value,), coverage=min(count / expected, 1.0),
                device=question.source.device or device_of(question.dimensions),
            )  # fmt: skip
            found[question.instance] = (*found.get(question.instance, ()), series)
        return found

    def _questions(self, region: str, look: Look) -> Iterator[Asked]:
        for one in look.instances:
            for source in HOST:
                if source.metric in look.metrics:
                    yield Asked(instance=one.id, source=source, dimensions=(("InstanceId", one.id),))
            if Metric.ACCELERATOR in look.metrics:
                yield from self._devices(region, one, look.kind)
            if Metric.ACCELERATOR_MEMORY in look.metrics:
                yield from self._memory(region, one, look.kind)

    def _devices(self, region: str, one: Instance, kind: AcceleratorKind) -> Iterator[Asked]:
        if job := one.labels.get(labels.JOB):
            yield Asked(instance=one.id, source=AGENT, dimensions=(("InstanceId", one.id), ("Job", job)))
        if source := FOUND.get(kind):
            for dimensions in self._dimensions(region, source).get(one.id, ()):
                yield Asked(instance=one.id, source=source, dimensions=dimensions)

    def _memory(self, region: str, one: Instance, kind: AcceleratorKind) -> Iterator[Asked]:
        """Of each device all that it has comes first, then what is held of it."""
        if job := one.labels.get(labels.JOB):
            yield Asked(instance=one.id, source=AGENT_MEMORY, dimensions=(("InstanceId", one.id), ("Job", job)))
        for dimensions in self._dimensions(region, FOUND[kind]).get(one.id, ()) if kind in MEASURED else ():
            for source in (WHOLE, HELD):
                yield Asked(instance=one.id, source=source, dimensions=dimensions)

    def _dimensions(self, region: str, source: Source) -> Mapping[str, Iterable[Dimensions]]:
        """By instance, of the series that had a value within three hours."""
        if (region, source) not in self._listed:
            found: dict[str, dict[Dimensions, None]] = {}
            with translated("cloudwatch:ListMetrics"):
                pages = self._watch(region).get_paginator("list_metrics").paginate(
                    Namespace=source.namespace, MetricName=source.name, RecentlyActive="PT3H"
                )  # fmt: skip
                for metric in (metric for page in pages for metric in page["Metrics"]):
                    dimensions = tuple((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
                    found.setdefault(dict(dimensions).get("InstanceId", ""), {})[dimensions] = None
            self._listed[region, source] = found
        return self._listed[region, source]

    def _answered(
        self, region: str, asked: Iterable[Asked], window: timedelta, now: datetime
    ) -> Iterator[tuple[Asked, float, int]]:
        """The highest value of each question that has any, and how many it has."""
        end = datetime.fromtimestamp((now - DELAY).timestamp() // 300 * 300, now.tzinfo)
        remaining = iter(asked)
        while batch := list(islice(remaining, QUERIES)):
            self._sessions.allowance.points(region, len(batch) * (window // PERIOD))
            values = self._values(region, batch, end - window, end)
            for number, one in enumerate(batch):
                if told := values.get(f"m{number}"):
                    yield one, max(told), len(told)

    def _values(
        self, region: str, batch: Sequence[Asked], start: datetime, end: datetime
    ) -> Mapping[str, Sequence[float]]:
        """By the id of the query."""
        values: dict[str, list[float]] = {}
        with translated("cloudwatch:GetMetricData"):
            pages = self._watch(region).get_paginator("get_metric_data").paginate(
                MetricDataQueries=[query(number, one) for number, one in enumerate(batch)],  # type: ignore[arg-type]
                StartTime=start, EndTime=end, ScanBy="TimestampAscending",
            )  # fmt: skip
            for result in (result for page in pages for result in page["MetricDataResults"]):
                values.setdefault(result.get("Id", ""), []).extend(result.get("Values", []))
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
    return next((named[name] for name in DEVICE_NAMES if name in named), "all")
