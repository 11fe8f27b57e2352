"""What nothing uses is found: ours is named and goes with a teardown, others' is told of and left."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from provisioner.catalog.policies import trust
from tests.e2e.estate import OURS, machines
from tests.e2e.jobs import accelctl
from tests.sandbox.world import aws, launch, state_of, until

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
ZONE = "us-east-1a"
TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"


@pytest.fixture(autouse=True, scope="module")
def prepared(sandbox: dict[str, Any]) -> None:
    assert accelctl("setup").returncode == 0


def marked(kind: str, labels: dict[str, str]) -> list[dict[str, Any]]:
    tags = [{"Key": key, "Value": value} for key, value in labels.items()]
    return [{"ResourceType": kind, "Tags": tags}]


def volume(**labels: str) -> str:
    spec = {"TagSpecifications": marked("volume", labels)} if labels else {}
    return aws("ec2").create_volume(AvailabilityZone=ZONE, Size=73, **spec)["VolumeId"]


def address(**labels: str) -> str:
    spec = {"TagSpecifications": marked("elastic-ip", labels)} if labels else {}
    return aws("ec2").allocate_address(Domain="vpc", **spec)["AllocationId"]


def others(*flags: str) -> dict[str, dict[str, Any]]:
    """What one run says of what is no machine, by id."""
    done = accelctl("reap", "--output", "json", *flags)
    assert done.returncode == 0, done.stderr
    return {one["id"]: one for one in json.loads(done.stdout)["others"]}


@pytest.fixture
def left() -> Iterator[dict[str, str]]:
    """A disk and an address of ours and of others', used by nothing."""
    made = {"our volume": volume(**OURS), "their volume": volume(), "our address": address(**OURS),
            "their address": address()}  # fmt: skip
    yield made
    for one in made.values():
        if one.startswith("vol-"):
            aws("ec2").delete_volume(VolumeId=one)
        else:
            aws("ec2").release_address(AllocationId=one)


def test_ours_is_named_with_its_price_and_others_is_not_looked_at(left: dict[str, str]) -> None:
    """73 GiB at $0.08 a month are $0.008 an hour."""
    found = others()

    assert found[left["our volume"]]["price_per_hour"] == "0.008"
    assert "attached to nothing" in found[left["our volume"]]["reason"]
    assert "bound to nothing" in found[left["our address"]]["reason"]
    assert not {left["their volume"], left["their address"]} & set(found)


@pytest.mark.full
def test_others_is_told_of_when_the_account_is_looked_at_and_never_touched(left: dict[str, str]) -> None:
    """Even by a run that acts."""
    found = others("--scope", "account", "--apply", "--yes")

    assert {found[left[name]]["action"] for name in left} == {"report"}
    assert "not accelctl's" in found[left["their volume"]]["reason"]
    assert aws("ec2").describe_volumes(VolumeIds=[left["their volume"]])["Volumes"]


@pytest.mark.full
def test_a_placement_group_is_named_once_no_machine_is_in_it() -> None:
    """One that holds a machine is not; a teardown removes it after its machine."""
    ec2, labels = aws("ec2"), OURS | {"accelctl:team": "near"}
    for name in ("empty", "held"):
        ec2.create_placement_group(GroupName=name, TagSpecifications=marked("placement-group", labels))
    machine = launch("sleep 600", Placement={"AvailabilityZone": ZONE, "GroupName": "held"},
                     TagSpecifications=marked("instance", labels))["InstanceId"]  # fmt: skip
    assert until(lambda: state_of(machine) == "running")
    found = others()
    done = accelctl("teardown", "--label", "team=near", "--yes", "--output", "json")

    assert found["empty"]["reason"].startswith("no machine is in it")
    assert "held" not in found
    assert done.returncode == 0, done.stderr
    gone = [one["id"] for one in json.loads(done.stdout)["items"] if one["result"] == "removed"]
    assert set(gone) == {machine, "empty", "held"}
    assert ec2.describe_placement_groups()["PlacementGroups"] == []


def test_what_setup_uses_is_not_called_unused() -> None:
    """Its network, its store, and what it made for them."""
    assert not [one for one in others().values() if one["kind"] not in ("job",)]


def schedule(name: str, machine: str, labels: dict[str, str], role: str) -> None:
    """It would end that machine."""
    client = aws("scheduler")
    client.create_schedule_group(Name=name, Tags=[{"Key": key, "Value": value} for key, value in labels.items()])
    client.create_schedule(
        Name=name, GroupName=name, ScheduleExpression="at(2036-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": TERMINATE, "RoleArn": role,
                "Input": json.dumps({"InstanceIds": [machine]})},
    )  # fmt: skip


def test_a_schedule_whose_machines_are_gone_is_named() -> None:
    """One whose machine runs is not, nor one that is not ours."""
    trusted = trust("scheduler.amazonaws.com")
    role = aws("iam").create_role(RoleName="ender", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    with machines() as make:
        schedule("lives", make(), OURS, role)
        schedule("gone", "i-0123456789abcdef0", OURS, role)
        schedule("theirs", "i-0123456789abcdef0", {}, role)
        found = others()
    for name in ("lives", "gone", "theirs"):
        aws("scheduler").delete_schedule(Name=name, GroupName=name)
        aws("scheduler").delete_schedule_group(Name=name)

    assert {name for name, one in found.items() if one["kind"] == "schedule"} == {"gone"}


def test_teardown_cancels_a_persistent_request_before_its_machine() -> None:
    """Else another machine would come in its place."""
    spot = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "persistent",
                                                  "InstanceInterruptionBehavior": "stop"}}  # fmt: skip
    labels = OURS | {"accelctl:team": "persistent"}
    specs = [*marked("instance", labels), *marked("spot-instances-request", labels)]
    machine = launch("sleep 600", InstanceMarketOptions=spot, TagSpecifications=specs,
                     InstanceInitiatedShutdownBehavior=None)  # fmt: skip
    assert until(lambda: state_of(machine["InstanceId"]) == "running")

    done = accelctl("teardown", "--label", "accelctl:team=persistent", "--yes", "--output", "json")

    assert done.returncode == 0, done.stderr
    kinds = [one["kind"] for one in json.loads(done.stdout)["items"]]
    assert kinds.index("spot-request") < kinds.index("instance")
    assert until(lambda: state_of(machine["InstanceId"]) == "terminated")
