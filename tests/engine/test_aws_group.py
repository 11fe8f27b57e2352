"""aws-g5 under the real engine: a group that opens, closes and ends by the cloud's own clock, the policy pack on."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.e2e.jobs import accelctl
from tests.engine.project import NO_CHANGE, PACK, Project, project
from tests.sandbox.world import aws, until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
STACK = "aws-g5"


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stack, up, with nothing configured."""
    made = project(tmp_path_factory.mktemp("project"), STACK)
    made.run("preview", *PACK)
    assert machines() == []
    made.up(*PACK)
    return made


def machines() -> list[dict[str, Any]]:
    wanted = [
        {"Name": "tag:accelctl:stack", "Values": [STACK]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = aws("ec2").describe_instances(Filters=wanted)["Reservations"]
    return [one for reservation in found for one in reservation["Instances"]]


def group(stack: Project) -> dict[str, Any]:
    named = [stack.outputs()["group"]]
    return aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=named)["AutoScalingGroups"][0]


def pass_hour(hour: int) -> None:
    """To the first time from now on at which that hour has struck, whatever the time of day is."""
    now = datetime.fromisoformat(ask("status")["now"])
    ask("clock", advance=str(((hour - now.hour - 1) % 24 + 1) * 3600))


def test_one_spot_machine_is_there_and_the_group_may_go_down_to_none(stack: Project) -> None:
    """Private, IMDSv2 only, labelled, with an end."""
    (machine,) = machines()
    labels = {tag["Key"]: tag["Value"] for tag in machine["Tags"]}

    assert (machine["InstanceType"], machine["InstanceLifecycle"]) == ("g5.xlarge", "spot")
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert "PublicIpAddress" not in machine
    assert labels["accelctl:expires-at"] == stack.outputs()["ends_at"]
    assert (group(stack)["MinSize"], group(stack)["MaxSize"]) == (0, 1)


def test_its_end_is_there_before_it(stack: Project) -> None:
    """By the name that it is going to have, so that no Ctrl-C leaves a group that nothing empties."""
    (end,) = aws("scheduler").list_schedules()["Schedules"]
    told = aws("scheduler").get_schedule(Name=end["Name"], GroupName=end["GroupName"])["Target"]["Input"]

    assert json.loads(told)["AutoScalingGroupName"] == stack.outputs()["group"]
    assert stack.made_in_order("aws:scheduler/schedule:Schedule", "aws:autoscaling/group:Group")


def test_up_again_changes_nothing(stack: Project) -> None:
    """Nor does a refresh find a difference."""
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)


def test_it_closes_in_the_evening_and_up_leaves_it_closed(stack: Project) -> None:
    """The size belongs to the clock."""
    pass_hour(18)
    assert until(lambda: not machines())
    stack.up(NO_CHANGE, *PACK)
    assert machines() == []


def test_another_size_changes_the_group_in_place(stack: Project) -> None:
    """The same group, with room for three; the preview says that fewer end running ones."""
    before = stack.outputs()["group"]
    stack.configure(machines="3", hours="off")
    stack.up(*PACK)

    assert (stack.outputs()["group"], group(stack)["MaxSize"]) == (before, 3)
    assert aws("autoscaling").describe_scheduled_actions()["ScheduledUpdateGroupActions"] == []
    stack.configure(machines="2")
    assert "3 become 2, at once" in stack.run("preview").stdout


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("instanceTypes", "g5.xlarge,p5.48xlarge", "p5.48xlarge"),
        ("hours", "8 to 6", "08:00-18:00"),
        ("timezone", "Mars/Base", "Europe/Berlin"),
        ("machines", "99", "from 1 to 16"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project, key: str, value: str, said: str) -> None:
    """Before anything is made."""
    stack.refuses(key, value, said)


def test_its_end_empties_the_group_for_good_and_destroy_leaves_nothing(stack: Project) -> None:
    """Past the end no machine comes back, whatever its hours say."""
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName=stack.outputs()["group"], DesiredCapacity=1)
    assert until(machines)
    ask("clock", advance=str(8 * 24 * 3600))
    assert until(lambda: not machines())
    assert (group(stack)["MaxSize"], ask("status")["failed_schedules"]) == (0, [])

    stack.run("destroy", "--yes", "--skip-preview")

    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert aws("scheduler").list_schedules()["Schedules"] == []
    mine = [{"Name": "tag:accelctl:stack", "Values": [STACK]}]
    assert not aws("ec2").describe_vpcs(Filters=mine)["Vpcs"]
    assert not aws("ec2").describe_launch_templates(Filters=mine)["LaunchTemplates"]


@pytest.mark.full
def test_inferentia_comes_the_same_way(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Up with the pack, and gone again."""
    made = project(tmp_path, "aws-inf2")
    made.configure(hours="off", endAfter="13d")  # the tests before moved the sandbox's clock
    made.up(*PACK)
    named = [made.outputs()["group"]]
    (there,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=named)["AutoScalingGroups"]

    assert [one["InstanceType"] for one in there["Instances"]] == ["inf2.xlarge"]
    made.run("destroy", "--yes", "--skip-preview")


def test_teardown_names_the_stack_that_owns_a_thing_and_leaves_it_unless_told(
    sandbox: dict[str, Any], tmp_path: Path
) -> None:
    """Without --include-stacks the machines stay; with it Pulumi itself destroys them."""
    made = project(tmp_path, f"{STACK}-owned")
    made.configure(endAfter="13d")  # the tests before moved the sandbox's clock by more than a week
    made.up(*PACK)
    kept = accelctl("teardown", "--everything", "--yes", "--output", "json")
    owned = json.loads(kept.stdout)["stacks"]
    assert (kept.returncode, [one["stack"] for one in owned]) == (0, [made.stack])
    assert f"pulumi destroy --stack {made.stack}" in kept.stderr

    gone = accelctl("teardown", "--everything", "--include-stacks", "--yes", "--output", "json", cwd=tmp_path)

    assert (gone.returncode, json.loads(gone.stdout)["stacks"]) == (0, []), gone.stderr
    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
