"""Machines go home: over real runs of `accelctl reap`, on the sandbox's own clock."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.e2e.jobs import Job, accelctl, counting
from tests.sandbox.world import aws, launch, state_of, until

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
OURS = {"accelctl:managed": "accelctl", "accelctl:owner": "tester"}
HOST = {"CPUUtilization": 2.0, "NetworkIn": 1000.0, "NetworkOut": 1000.0}


@pytest.fixture(autouse=True, scope="module")
def prepared(sandbox: dict[str, Any]) -> None:
    assert accelctl("setup").returncode == 0


@pytest.fixture
def machine() -> Iterator[Any]:
    """Launches machines of ours; whatever is left of them goes at the end."""
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
    """What CloudWatch has of the machine for the last hours, every five minutes."""
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
            for index, value in enumerate(gpus)
        ]  # fmt: skip
        if devices:
            watch.put_metric_data(Namespace="CWAgent", MetricData=devices)


def reaped(instance: str, *flags: str) -> dict[str, Any]:
    """What one run says of the machine."""
    done = accelctl("reap", "--output", "json", *flags)
    assert done.returncode in (0, 4), done.stderr
    return next(one for one in json.loads(done.stdout)["machines"] if one["id"] == instance)


def test_an_orphan_is_marked_then_told_of_then_ended(machine: Any) -> None:
    """Young it is left; then marked; within its grace it is left; after it, it goes, and a busy one stays."""
    orphan, busy = machine(job="20260101-000000-aaaaa"), machine()
    assert (reaped(orphan)["verdict"], reaped(orphan)["action"]) == ("unknown", "keep")
    pass_hours(1)
    measured(busy, gpus=[0, 88])

    assert (reaped(orphan)["verdict"], reaped(orphan)["outcome"]) == ("orphan", "planned")
    assert (reaped(orphan, "--apply")["action"], reaped(orphan)["action"]) == ("mark", "keep")
    pass_hours(2)
    measured(busy, gpus=[0, 88])
    assert reaped(busy, "--apply")["verdict"] == "busy"
    assert until(lambda: state_of(orphan) == "terminated")
    assert state_of(busy) == "running"


def test_an_idle_machine_goes_and_one_that_works_again_loses_its_mark(machine: Any) -> None:
    """Two machines idle alike are marked; one wakes up within its grace."""
    idle, wakes = machine(), machine()
    pass_hours(1)
    for one in (idle, wakes):
        measured(one, gpus=[0, 1])
    assert reaped(idle, "--apply")["verdict"] == "idle"
    pass_hours(2)
    measured(idle, gpus=[0, 1])
    measured(wakes, gpus=[0, 97])

    spared = reaped(wakes, "--apply")

    assert (spared["verdict"], spared["action"], spared["outcome"]) == ("busy", "unmark", "done")
    assert until(lambda: state_of(idle) == "terminated")
    tags = aws("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [wakes]}])["Tags"]
    assert "accelctl:reap" not in {tag["Key"] for tag in tags}


def test_metrics_that_are_refused_make_everything_unknown(machine: Any) -> None:
    """No permission for one call: the machine is kept, and the report says why."""
    idle = machine()
    pass_hours(1)
    measured(idle, gpus=[0])
    ask("fault", operation="GetMetricData", code="AccessDenied", times="9")

    found = reaped(idle, "--apply")
    ask("fault", operation="GetMetricData", code="AccessDenied", times="0")

    assert (found["verdict"], found["action"]) == ("unknown", "keep")
    assert "GetMetricData" in found["reason"]


def test_a_job_that_nobody_looks_after_is_stepped() -> None:
    """Its terminal is gone and its machine was taken back: the next run buys the next machine."""
    assert accelctl(*counting("alone", "--detach", steps=5000)).returncode == 0
    job = Job("alone").holds(lambda found: found["attempts"])
    until(lambda: [one for one in ask("status")["machines"] if one["labels"].get("accelctl:name") == "alone"])
    ask("interrupt", instance="alone", notice="0")

    def continued() -> bool:
        done = accelctl("reap", "--apply", "--output", "json")
        others = json.loads(done.stdout)["others"]
        assert {"kind": "job", "id": job["id"]}.items() <= others[0].items()
        return len((Job("alone").status() or {})["attempts"]) == 2

    assert until(continued, 60)
    assert accelctl("teardown", "alone", "--yes").returncode == 0


def test_a_region_that_does_not_exist_is_a_mistake() -> None:
    """Exit 2, with the prepared ones."""
    done = accelctl("reap", "--region", "mars-1")

    assert (done.returncode, "us-east-1" in done.stderr) == (2, True)
