"""What CloudWatch knows of machines: 500 series a call, the highest of each five minutes, dimensions as they are.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html; EC2's own metrics:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.estate import Metric, Series

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
DEVICES = (
    Source(namespace="accelctl", name="AcceleratorUtilisation", metric=Metric.ACCELERATOR),
    Source(namespace="CWAgent", name="nvidia_smi_utilization_gpu", metric=Metric.ACCELERATOR),
    Source(namespace="CWAgent", name="neuroncore_utilization", metric=Metric.ACCELERATOR),
)
DEVICE_NAMES = ("Device", "index", "NeuronCore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One series to read."""

    instance: str
    source: Source
    dimensions: tuple[tuple[str, str], ...]


OWN = "accelctl/reaper"
"""The namespace of what the reaper says of itself."""


def publish(sessions: Sessions, values: Mapping[str, float]) -> None:
    """Of the moment, in the region of the caller."""
    rows: Any = [{"MetricName": name, "Value": value} for name, value in values.items()]
    with translated("cloudwatch:PutMetricData"):
        sessions.client("cloudwatch", sessions.anywhere).put_metric_data(Namespace=OWN, MetricData=rows)


def utilisation(
    sessions: Sessions, region: str, instances: Sequence[str], window: timedelta, now: datetime
) -> Mapping[str, tuple[Series, ...]]:
    """By instance. A series that CloudWatch does not have is absent: missing is not zero."""
    watch: CloudWatchClient = sessions.client("cloudwatch", region)
    wanted = set(instances)
    host = [
        Asked(instance=one, source=source, dimensions=(("InstanceId", one),)) for one in instances for source in HOST
    ]
    asked = [*host, *(one for one in discovered(watch) if one.instance in wanted)]
    found: dict[str, tuple[Series, ...]] = {}
    for question, values in answered(watch, asked, window, now):
        expected = window // PERIOD
        scaled = tuple(value / PERIOD.total_seconds() if question.source.summed else value for value in values)
        device = question.source.device or device_of(question.dimensions)
        series = Series(
            metric=question.source.metric, values=scaled, coverage=min(len(values) / expected, 1.0), device=device
        )
        found[question.instance] = (*found.get(question.instance, ()), series)
    return found


def discovered(watch: "CloudWatchClient") -> Iterator[Asked]:
    """The series of devices that were published within three hours, with whatever dimensions they carry."""
    for source in DEVICES:
        with translated("cloudwatch:ListMetrics"):
            pages = watch.get_paginator("list_metrics").paginate(
                Namespace=source.namespace, MetricName=source.name, RecentlyActive="PT3H"
            )
            for page in pages:
                for metric in page["Metrics"]:
                    dimensions = tuple((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
                    if instance := dict(dimensions).get("InstanceId"):
                        yield Asked(instance=instance, source=source, dimensions=dimensions)


def answered(
    watch: "CloudWatchClient", asked: Iterable[Asked], window: timedelta, now: datetime
) -> Iterator[tuple[Asked, list[float]]]:
    """The values of each question that has any, oldest first."""
    end = datetime.fromtimestamp((now - DELAY).timestamp() // 300 * 300, now.tzinfo)
    remaining = iter(asked)
    while batch := list(islice(remaining, QUERIES)):
        values: dict[str, list[float]] = {}
        with translated("cloudwatch:GetMetricData"):
            pages = watch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[query(number, one) for number, one in enumerate(batch)],  # type: ignore[arg-type]
                StartTime=end - window, EndTime=end, ScanBy="TimestampAscending",
            )  # fmt: skip
            for page in pages:
                for result in page["MetricDataResults"]:
                    values.setdefault(result.get("Id", ""), []).extend(result.get("Values", []))
        yield from ((one, values[f"m{number}"]) for number, one in enumerate(batch) if values.get(f"m{number}"))


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
