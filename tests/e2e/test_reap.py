"""Machines go home: over real runs of `accelctl reap`, on the sandbox's own clock."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from provisioner.reaper.pulses import pulses
from provisioner.sandbox.client import ask
from provisioner.workplace import Workplace
from tests.e2e.estate import machines, measured, pass_hours
from tests.e2e.jobs import Job, accelctl, counting
from tests.sandbox.world import aws, launch, state_of, until

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]


@pytest.fixture(autouse=True, scope="module")
def prepared(sandbox: dict[str, Any]) -> None:
    assert accelctl("setup").returncode == 0


@pytest.fixture
def machine() -> Iterator[Any]:
    with machines() as make:
        yield make


def reaped(instance: str, *flags: str) -> dict[str, Any]:
    """What one run says of the machine."""
    done = accelctl("reap", "--output", "json", *flags)
    assert done.returncode in (0, 4), done.stderr
    return next(one for one in json.loads(done.stdout)["machines"] if one["id"] == instance)


def test_an_orphan_is_marked_then_told_of_then_ended(machine: Any) -> None:
    """Young or unmeasured it is left; idle it is marked, and goes after its grace; a busy one stays."""
    orphan, busy = machine(job="20260101-000000-aaaaa"), machine()
    assert (reaped(orphan)["verdict"], reaped(orphan)["action"]) == ("unknown", "keep")
    pass_hours(1)
    measured(busy, gpus=[0, 88])
    assert (reaped(orphan)["verdict"], reaped(orphan)["action"]) == ("unknown", "keep")
    measured(orphan, gpus=[0, 1])

    assert (reaped(orphan)["verdict"], reaped(orphan)["outcome"]) == ("orphan", "planned")
    assert (reaped(orphan, "--apply", "--yes")["action"], reaped(orphan)["action"]) == ("mark", "keep")
    pass_hours(2)
    measured(orphan, gpus=[0, 1])
    measured(busy, gpus=[0, 88])
    assert reaped(busy, "--apply", "--yes")["verdict"] == "busy"
    assert until(lambda: state_of(orphan) == "terminated")
    assert state_of(busy) == "running"


def test_an_idle_machine_goes_and_one_that_works_again_loses_its_mark(machine: Any) -> None:
    """Two machines idle alike are marked; one wakes up within its grace."""
    idle, wakes = machine(), machine()
    pass_hours(1)
    for one in (idle, wakes):
        measured(one, gpus=[0, 1])
    assert reaped(idle, "--apply", "--yes")["verdict"] == "idle"
    pass_hours(2)
    measured(idle, gpus=[0, 1])
    measured(wakes, gpus=[0, 97])

    spared = reaped(wakes, "--apply", "--yes")

    assert (spared["verdict"], spared["action"], spared["outcome"]) == ("busy", "unmark", "done")
    assert until(lambda: state_of(idle) == "terminated")
    tags = aws("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [wakes]}])["Tags"]
    assert "accelctl:reap" not in {tag["Key"] for tag in tags}


@pytest.mark.full
def test_a_machine_that_somebody_works_on_by_hand_is_kept(machine: Any) -> None:
    """While the session is open, and no longer."""
    idle = machine()
    pass_hours(1)
    measured(idle, gpus=[0])
    session = aws("ssm").start_session(Target=idle)["SessionId"]
    assert (reaped(idle)["verdict"], reaped(idle)["reason"]) == ("busy", "somebody is logged in")
    aws("ssm").terminate_session(SessionId=session)

    assert reaped(idle)["verdict"] == "idle"


def test_metrics_that_are_refused_make_everything_unknown(machine: Any) -> None:
    """No permission for one call: the machine is kept, and the report says why."""
    idle = machine()
    pass_hours(1)
    measured(idle, gpus=[0])
    ask("fault", operation="GetMetricData", code="AccessDenied", times="9")

    found = reaped(idle, "--apply", "--yes")
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
        done = accelctl("reap", "--apply", "--yes", "--output", "json")
        others = json.loads(done.stdout)["others"]
        assert {"kind": "job", "id": job["id"]}.items() <= others[0].items()
        return len((Job("alone").status() or {})["attempts"]) == 2

    assert until(continued, 60)
    assert accelctl("teardown", "alone", "--yes").returncode == 0


@pytest.mark.full
def test_a_running_job_tells_what_it_does_by_a_name_in_the_store() -> None:
    """Its role may write there, and it is seen in the listing that the reaper reads."""
    assert accelctl(*counting("telling", "--detach", steps=5000)).returncode == 0
    job = Job("telling").holds(lambda found: found["attempts"])["id"]
    place = {"Bucket": "accelctl-123456789012", "Prefix": f"heartbeats/us-east-1/{job}/"}

    def told() -> list[str]:
        return [one["Key"] for one in aws("s3").list_objects_v2(**place).get("Contents", [])]

    assert until(lambda: any(".run." in key for key in told()), 60)
    seen = pulses(Workplace().objects, "us-east-1")
    assert {pulse.phase for pulse in seen.values() if pulse.job == job} == {"run"}
    assert accelctl("teardown", "telling", "--yes").returncode == 0


@pytest.mark.full
def test_others_accelerators_are_marked_and_told_of_and_never_ended() -> None:
    """Only where the whole account is looked at; without that nobody sees them."""
    foreign = launch("sleep 600")["InstanceId"]
    assert until(lambda: state_of(foreign) == "running")
    pass_hours(1)
    measured(foreign, gpus=[0, 0])
    seen = [one["id"] for one in json.loads(accelctl("reap", "--output", "json").stdout)["machines"]]
    assert foreign not in seen
    first = reaped(foreign, "--scope", "account", "--apply", "--yes")
    assert (first["action"], state_of(foreign)) == ("mark", "running"), json.dumps(first)
    pass_hours(30)
    measured(foreign, gpus=[0, 0])

    told = reaped(foreign, "--scope", "account", "--apply", "--yes")

    assert (told["action"], state_of(foreign)) == ("report", "running")
    assert "not accelctl's" in told["reason"]
    aws("ec2").terminate_instances(InstanceIds=[foreign])


def test_a_region_that_does_not_exist_is_a_mistake() -> None:
    """Exit 2, with the prepared ones."""
    done = accelctl("reap", "--region", "mars-1")

    assert (done.returncode, "us-east-1" in done.stderr) == (2, True)
