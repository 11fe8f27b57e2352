"""Auto Scaling groups in the sandbox: they keep their size on the spot market, and heed their hours."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from provisioner.sandbox.recurrence import next_after
from tests.sandbox.world import IMAGE, assumed, aws, refused, until

GROUP = "workers"
MONDAY = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.fixture
def group(sandbox: dict[str, Any]) -> Iterator[str]:
    """Spot only, g5.xlarge before g5.2xlarge, no machine yet."""
    aws("ec2").create_launch_template(
        LaunchTemplateName=GROUP, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "g5.xlarge"}
    )
    spot = {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0}
    kinds = [{"InstanceType": "g5.xlarge"}, {"InstanceType": "g5.2xlarge"}]
    named = {"LaunchTemplateName": GROUP, "Version": "$Latest"}
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=GROUP, MinSize=0, MaxSize=2, DesiredCapacity=0,
        VPCZoneIdentifier=aws("ec2").describe_subnets()["Subnets"][0]["SubnetId"],
        MixedInstancesPolicy={
            "LaunchTemplate": {"LaunchTemplateSpecification": named, "Overrides": kinds}, "InstancesDistribution": spot
        },
        Tags=[{"Key": "team", "Value": "vision", "PropagateAtLaunch": True}],
    )  # fmt: skip
    yield GROUP
    aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    aws("ec2").delete_launch_template(LaunchTemplateName=GROUP)
    assert until(lambda: not members())


def members() -> list[dict[str, Any]]:
    wanted = [
        {"Name": "tag:aws:autoscaling:groupName", "Values": [GROUP]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = aws("ec2").describe_instances(Filters=wanted)["Reservations"]
    return [one for reservation in found for one in reservation["Instances"]]


def want(count: int) -> None:
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=count)


def test_it_launches_on_the_spot_market_and_passes_its_labels_on(group: str) -> None:
    """The cheapest type that there is; the next one where there is none."""
    zone = aws("ec2").describe_subnets()["Subnets"][0]["AvailabilityZone"]
    ask("capacity", type="g5.xlarge", zone=zone, count="0")
    want(1)

    assert until(members)
    (machine,) = members()
    assert (machine["InstanceType"], machine["InstanceLifecycle"]) == ("g5.2xlarge", "spot")
    assert {"Key": "team", "Value": "vision"} in machine["Tags"]
    ask("capacity", type="g5.xlarge", zone=zone, count="9")


def test_what_is_taken_back_is_replaced(group: str) -> None:
    """An interrupted member is followed by another one; a smaller size ends what is too much."""
    want(1)
    assert until(members)
    first = members()[0]["InstanceId"]
    ask("interrupt", instance=first, notice="0")
    assert until(lambda: [one for one in members() if one["InstanceId"] != first])
    want(0)
    assert until(lambda: not members())


def test_a_smaller_maximum_ends_what_is_too_much_at_once(group: str) -> None:
    """As AWS has it: the size follows its bounds, and one beyond them is refused."""
    scaling = aws("autoscaling")
    want(2)
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=1)
    held = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
    assert (held["MaxSize"], held["DesiredCapacity"]) == (1, 1)

    beyond = {"AutoScalingGroupName": GROUP, "MinSize": 0, "MaxSize": 2, "DesiredCapacity": 3}
    assert refused(lambda: scaling.update_auto_scaling_group(**beyond))[0] == "ValidationError"
    scaling.update_auto_scaling_group(**beyond | {"DesiredCapacity": 0})
    assert until(lambda: not members())


def test_a_member_goes_with_its_place_and_never_below_the_minimum(group: str) -> None:
    """The size is one less and nothing comes in its place; at the minimum AWS refuses."""
    scaling = aws("autoscaling")
    want(2)
    assert until(lambda: len(members()) == 2)
    first = members()[0]["InstanceId"]
    scaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=True)
    assert until(lambda: [one["InstanceId"] for one in members()] not in ([], [first]) and len(members()) == 1)
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=1)
    (last,) = members()

    code, _ = refused(lambda: scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=last["InstanceId"], ShouldDecrementDesiredCapacity=True))  # fmt: skip
    held = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
    assert (code, held["DesiredCapacity"], members()) == ("ValidationError", 1, [last])
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=0)
    want(0)


def test_only_groups_with_our_label_are_scaled_in_by_a_role_that_asks_for_it(group: str) -> None:
    """A condition on the label of a resource is on the group's."""
    want(1)
    assert until(members)
    member, seen = members()[0]["InstanceId"], {}
    for team in ("sound", "vision"):
        rule = {"Effect": "Allow", "Action": "autoscaling:TerminateInstanceInAutoScalingGroup", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/team": team}}}  # fmt: skip
        scaling = assumed([rule], "autoscaling")
        seen[team] = refused(lambda scaling=scaling: scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=member, ShouldDecrementDesiredCapacity=True))[0]  # fmt: skip
    assert seen == {"sound": "AccessDeniedException", "vision": ""}


def test_its_hours_are_kept_by_the_cloud(group: str) -> None:
    """A scheduled action changes the size when the clock reaches it, day after day."""
    scaling = aws("autoscaling")
    for name, line, count in (("opens", "0 8 * * *", 1), ("closes", "0 18 * * *", 0)):
        scaling.put_scheduled_update_group_action(
            AutoScalingGroupName=GROUP, ScheduledActionName=name, Recurrence=line, DesiredCapacity=count
        )

    def size() -> int:
        return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0][
            "DesiredCapacity"
        ]

    for hour, count in ((8, 1), (18, 0), (8, 1)):
        now = datetime.fromisoformat(ask("status")["now"])
        ask("clock", advance=str(((hour - now.hour - 1) % 24 + 1) * 3600))
        assert until(lambda count=count: size() == count)


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("rate(5 minutes)", "UTC", datetime(2026, 1, 5, 9, 35, tzinfo=UTC)),
        ("rate(1 hour)", "", datetime(2026, 1, 5, 10, 30, tzinfo=UTC)),
        ("cron(0 10 ? * MON-FRI *)", "UTC", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("cron(0 10 ? * 1 *)", "UTC", datetime(2026, 1, 11, 10, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", "UTC", datetime(2026, 1, 5, 9, 45, tzinfo=UTC)),
        ("0 8 * * 1-5", "America/New_York", datetime(2026, 1, 5, 13, tzinfo=UTC)),
        ("at(2026-01-06T00:00:00)", "UTC", None),
    ],
)
def test_when_something_that_recurs_is_next_due(expression: str, zone: str, expected: datetime | None) -> None:
    """EventBridge counts Sunday as 1; Auto Scaling writes cron as Unix does."""
    assert next_after(expression, zone, MONDAY) == expected
