"""The reaper's role holds what its rounds need, and nothing that none of them uses."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import boto3
import pytest

from provisioner.agent.bundle import build
from provisioner.catalog.policies import may_reap, trust
from provisioner.domain.jobs import JobSpec, Pace
from provisioner.jobs.submit import Submission, submit
from provisioner.sandbox.client import ask
from provisioner.workplace import Workplace
from tests.e2e.estate import OURS, machines, measured, pass_hours
from tests.e2e.jobs import EXAMPLES, accelctl, environment
from tests.sandbox.world import IMAGE, aws, launch, refused, state_of, until

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
ACCOUNT, ROLE = "123456789012", "reaper-under-test"
BUCKET = f"accelctl-{ACCOUNT}"
QUICK = Pace(poll_every=timedelta(seconds=0.3), heartbeat_every=timedelta(seconds=0.5), settle=timedelta(seconds=2))
ROUND = """
from provisioner.functions.aws import handler
class Context:
    aws_request_id, function_name = "0123456789", "reaper"
    def get_remaining_time_in_millis(self):
        return 600_000
handler({}, Context())
"""
IMPLIED = {
    "iam:PassRole", "iam:TagRole", "iam:TagInstanceProfile", "ssm:GetParameters",
    "logs:CreateLogStream", "logs:PutLogEvents", "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstanceStatus",
}  # fmt: skip
"""Asked for within another call (RunInstances looks up the image's parameter), by Lambda in the role's
name, for a type that the catalog lacks, or of a machine that has been silent for five minutes."""


TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:idle"
WIDEST = may_reap(account=ACCOUNT, bucket=BUCKET, topic=TOPIC, everybodys=True)


def allowed() -> set[str]:
    held = json.loads(WIDEST)
    return {action for statement in held["Statement"] for action in statement["Action"]}


def used() -> set[str]:
    """What the role was allowed and did, as the sandbox's IAM remembers it."""
    return set(ask("status")["used_permissions"].get(ROLE, []))


@pytest.fixture(scope="module")
def role(sandbox: dict[str, Any]) -> dict[str, str]:
    """Its credentials, as a function's environment has them."""
    assert accelctl("setup").returncode == 0
    aws("sns").create_topic(Name="idle")
    iam = aws("iam")
    arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))["Role"]["Arn"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="p", PolicyDocument=WIDEST)
    held = aws("sts").assume_role(RoleArn=arn, RoleSessionName="round")["Credentials"]
    return {"AWS_ACCESS_KEY_ID": held["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": held["SecretAccessKey"],
            "AWS_SESSION_TOKEN": held["SessionToken"], "ACCELCTL_REAP": "apply", "ACCELCTL_STORE": BUCKET,
            "ACCELCTL_OWNER_TOPIC": TOPIC, "ACCELCTL_SCOPE": "account"}  # fmt: skip


def a_round(role: dict[str, str]) -> None:
    """What the schedule starts; what it could not do is in its words."""
    done = subprocess.run(
        [sys.executable, "-c", ROUND], env=environment(**role), capture_output=True, text=True, timeout=120,
        check=False, cwd=EXAMPLES.parent,
    )  # fmt: skip
    assert "UnauthorizedOperation" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "is not allowed" not in done.stdout + done.stderr, done.stdout + done.stderr


def submitted(name: str, *types: str, zones: tuple[str, ...] = ()) -> str:
    """A job that nobody has stepped yet."""
    place = Workplace()
    spec = JobSpec(
        name=name, command=("python", "count.py", "--steps", "20", "--pace", "0.01"), cloud="aws", zones=zones,
        instance_types=types, pace=QUICK, checkpoint_every=timedelta(seconds=0.5),
    )  # fmt: skip
    asked = Submission(spec=spec, folder=EXAMPLES, owner="tester", store=place.store.url, store_region="us-east-1")
    return submit(place.objects, asked, now=place.clock.now(), agent=build, say=lambda _: None).id


def over(job: str) -> bool:
    return Workplace().records.read(job).record.ended_at is not None


def tagged(kind: str, **labels: str) -> list[dict[str, Any]]:
    held = OURS | {f"accelctl:{key}": value for key, value in labels.items()}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in held.items()]}]


def leave_behind(job: str) -> tuple[str, str]:
    """A disk and a network interface, as a machine that ended badly leaves them."""
    ec2 = aws("ec2")
    disk = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=tagged("volume", job=job))
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    card = ec2.create_network_interface(SubnetId=subnet, TagSpecifications=tagged("network-interface", job=job))
    return disk["VolumeId"], card["NetworkInterface"]["NetworkInterfaceId"]


def interrupted_in_silence(role: dict[str, str]) -> None:
    """A job whose machine finds no agent and is taken back before its first word: its console is all there is."""
    job = submitted("silent", "p4d.24xlarge")
    store, agents = aws("s3"), {"Bucket": BUCKET, "Prefix": "agents/"}
    for held in store.list_objects_v2(**agents)["Contents"]:
        store.delete_object(Bucket=BUCKET, Key=held["Key"])
    a_round(role)
    assert until(lambda: [one for one in ask("status")["machines"] if one["labels"].get("accelctl:job") == job])
    ask("interrupt", instance=job, notice="0")
    assert until(lambda: a_round(role) or "ec2:GetConsoleOutput" in used(), 60)
    assert accelctl("teardown", job, "--yes").returncode == 0


@contextmanager
def pointless_schedule() -> Generator[None]:
    """It would end a machine that is gone."""
    client, target = aws("scheduler"), "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
    ender = aws("iam").create_role(RoleName="ender", AssumeRolePolicyDocument=trust("scheduler.amazonaws.com"))
    client.create_schedule_group(Name="gone", Tags=tagged("")[0]["Tags"])
    client.create_schedule(
        Name="gone", GroupName="gone", ScheduleExpression="at(2036-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": ender["Role"]["Arn"], "Input": '{"InstanceIds": ["i-0123456789abcdef0"]}'},
    )  # fmt: skip
    yield
    client.delete_schedule(Name="gone", GroupName="gone")
    client.delete_schedule_group(Name="gone")
    aws("iam").delete_role(RoleName="ender")


@contextmanager
def grouped() -> Generator[str]:
    """The one member of an Auto Scaling group of ours."""
    ec2, scaling, name = aws("ec2"), aws("autoscaling"), "grouped"
    ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "g5.xlarge"}
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=0, MaxSize=1, DesiredCapacity=1,
        VPCZoneIdentifier=ec2.describe_subnets()["Subnets"][0]["SubnetId"],
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in OURS.items()],
    )  # fmt: skip
    wanted = [{"Name": "tag:aws:autoscaling:groupName", "Values": [name]}]
    found = until(lambda: ec2.describe_instances(Filters=wanted)["Reservations"], 30)
    yield found[0]["Instances"][0]["InstanceId"]
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    ec2.delete_launch_template(LaunchTemplateName=name)


@pytest.mark.full
def test_every_permission_is_used_by_some_round(role: dict[str, str]) -> None:
    """Jobs from purchase to end; machines marked, stopped, ended and spared; a request that would bring one back."""
    jobs = [
        submitted("anywhere", "p4d.24xlarge", "g5.xlarge"),
        submitted("one place", "p4d.24xlarge", zones=("us-east-1a",)),
    ]
    disk, _ = leave_behind(jobs[0])

    def finished() -> bool:
        a_round(role)
        return all(map(over, jobs))

    assert until(finished, 90)
    interrupted_in_silence(role)
    with machines() as make, pointless_schedule(), grouped() as member:
        idle, wakes = make(), make()
        specs = [*tagged("instance"), *tagged("spot-instances-request")]
        rented = launch("sleep 600", InstanceMarketOptions=None, TagSpecifications=specs[:1])["InstanceId"]
        spot = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "persistent",
                                                      "InstanceInterruptionBehavior": "stop"}}  # fmt: skip
        returning = launch("sleep 600", InstanceMarketOptions=spot, InstanceInitiatedShutdownBehavior=None,
                           TagSpecifications=specs)["InstanceId"]  # fmt: skip
        machines_there = (idle, wakes, rented, returning, member)
        assert until(lambda: all(state_of(one) == "running" for one in machines_there))
        for awake in (0, 97):
            pass_hours(2)
            for one in machines_there:
                measured(one, gpus=[awake if one == wakes else 0])
            a_round(role)
        for _ in range(3):
            a_round(role)
        assert until(lambda: {state_of(one) for one in (idle, returning, member)} == {"terminated"})
        assert (state_of(wakes), state_of(rented)) == ("running", "stopped")
        aws("ec2").terminate_instances(InstanceIds=[rented])

    assert disk not in [one["VolumeId"] for one in aws("ec2").describe_volumes()["Volumes"]]
    left = sorted(allowed() - used() - IMPLIED)
    assert not left, " ".join(left)


@pytest.mark.parametrize("everybodys", [False, True])
def test_of_others_machines_only_the_widened_role_may_touch_the_mark_and_nothing_else(
    role: dict[str, str], everybodys: bool
) -> None:
    """Not another label, not all of them, and never the machine."""
    name, iam = f"marker-{everybodys}", aws("iam")
    policy = may_reap(account=ACCOUNT, bucket=BUCKET, everybodys=everybodys)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    held = aws("sts").assume_role(RoleArn=arn, RoleSessionName="round")["Credentials"]
    session = boto3.Session(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])
    ec2, foreign = aws("ec2", session=session), launch("sleep 600")["InstanceId"]
    mark, other = [{"Key": "accelctl:reap", "Value": "now"}], [{"Key": "team", "Value": "x"}]

    calls = {
        "mark": lambda: ec2.create_tags(Resources=[foreign], Tags=mark),
        "unmark": lambda: ec2.delete_tags(Resources=[foreign], Tags=mark),
        "label": lambda: ec2.create_tags(Resources=[foreign], Tags=[*mark, *other]),
        "unlabel": lambda: ec2.delete_tags(Resources=[foreign]),
        "claim": lambda: ec2.create_tags(Resources=[foreign], Tags=[{"Key": "accelctl:managed", "Value": "accelctl"}]),
        "end": lambda: ec2.terminate_instances(InstanceIds=[foreign]),
    }
    done = {what for what, call in calls.items() if refused(call)[0] != "UnauthorizedOperation"}
    aws("ec2").terminate_instances(InstanceIds=[foreign])

    assert done == ({"mark", "unmark"} if everybodys else set[str]())
