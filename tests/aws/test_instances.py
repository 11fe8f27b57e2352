"""Machines as EC2 tells of them: what they print, and who ended them."""

import pytest

from provisioner.clouds.aws.instances import Instances
from provisioner.clouds.aws.sessions import Sessions
from tests.aws.wire import ec2_error, once_on_the_wire
from tests.sandbox.world import aws, launch, state_of, until

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
