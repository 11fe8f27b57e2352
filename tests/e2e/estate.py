"""Machines of ours without a job, and what CloudWatch has of them."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from provisioner.sandbox.client import ask
from tests.sandbox.world import aws, launch, state_of, until

OURS = {"accelctl:managed": "accelctl", "accelctl:owner": "tester"}
GPUS = 8
"""Of the type that `launch` takes: a machine of which fewer tell is unknown."""
HOST = {"CPUUtilization": 2.0, "NetworkIn": 1000.0, "NetworkOut": 1000.0}


@contextmanager
def machines() -> Generator[Any]:
    """Gives a launcher; whatever is left of what it launched goes at the end."""
    made: list[str] = []

    def make(**labels: str) -> str:
        marked = OURS | {f"accelctl:{key}": value for key, value in labels.items()}
        tags = [{"Key": key, "Value": value} for key, value in marked.items()]
        specification = [{"ResourceType": "instance", "Tags": tags}]
        made.append(launch("sleep 600", TagSpecifications=specification)["InstanceId"])
        until(lambda: state_of(made[-1]) == "running")
        return made[-1]

    yield make
    aws("ec2").terminate_instances(InstanceIds=made)
    until(lambda: all(state_of(one) == "terminated" for one in made))


def now() -> datetime:
    return datetime.fromisoformat(ask("status")["now"])


def pass_hours(hours: float) -> None:
    ask("clock", advance=str(hours * 3600))


def measured(instance: str, *, gpus: list[float], hours: float = 3, **host: float) -> None:
    """What CloudWatch has of the machine for the last hours, every five minutes; the GPUs that are not named rest."""
    watch, dimension = aws("cloudwatch"), {"Name": "InstanceId", "Value": instance}
    moments = [now() - timedelta(minutes=5 * back) for back in range(int(hours * 12))]
    for moment in moments:
        rows = [
            {"MetricName": name, "Dimensions": [dimension], "Value": value, "Timestamp": moment}
            for name, value in (HOST | host).items()
        ]
        watch.put_metric_data(Namespace="AWS/EC2", MetricData=rows)
        devices = [
            {"MetricName": "nvidia_smi_utilization_gpu", "Value": value, "Timestamp": moment,
             "Dimensions": [dimension, {"Name": "index", "Value": str(index)}, {"Name": "arch", "Value": "Ampere"}]}
            for index, value in enumerate([*gpus, *[0.0] * (GPUS - len(gpus))])
        ]  # fmt: skip
        watch.put_metric_data(Namespace="CWAgent", MetricData=devices)
