"""Machines as EC2 tells of them: what they print, and who ended them."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from provisioner.clouds.aws.instances import Instances
from provisioner.clouds.aws.sessions import Sessions
from tests.aws.wire import ec2_error, once_on_the_wire
from tests.sandbox.world import aws, content, launch, state_of, until

pytestmark = pytest.mark.usefixtures("sandbox")
REGION = "us-east-1"


def test_the_console_of_a_running_machine_is_read_as_it_is_now() -> None:
    """EC2's buffered answer, of the last change of state, has nothing of it yet."""
    made = launch("echo kernel panic; sleep 60")["InstanceId"]
    machines = Instances(Sessions(REGION))
    until(lambda: state_of(made) == "running")

    assert "kernel panic" in until(lambda: machines.console(made, REGION))
    assert not aws("ec2").get_console_output(InstanceId=made).get("Output")
    aws("ec2").terminate_instances(InstanceIds=[made])


def test_a_type_without_a_latest_console_is_asked_for_the_buffered_one() -> None:
    """Xen types, such as P3, refuse Latest."""
    sessions = Sessions(REGION)
    made = launch("echo kernel panic; shutdown -h now")["InstanceId"]
    until(lambda: state_of(made) == "terminated")
    once_on_the_wire(sessions.ec2(REGION), "GetConsoleOutput", ec2_error("UnsupportedOperation"))

    assert "kernel panic" in Instances(sessions).console(made, REGION)


def test_a_machine_that_answers_nothing_fails_its_checks(sandbox: dict[str, Any]) -> None:
    """EC2 calls it running all the same; nobody vouches for one that has ended."""
    machines = Instances(Sessions(REGION))
    made = launch("echo $PPID >init; sleep 60")["InstanceId"]
    init = int(until(lambda: content(Path(sandbox["root"], "machines", made, "home", "init"))))
    assert machines.is_healthy(made, REGION) is True

    os.kill(init, signal.SIGKILL)
    until(lambda: machines.is_healthy(made, REGION) is False)
    assert state_of(made) == "running"

    aws("ec2").terminate_instances(InstanceIds=[made])
    until(lambda: state_of(made) == "terminated")
    assert machines.is_healthy(made, REGION) is None
