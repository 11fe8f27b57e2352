"""aws-p5 under the real engine: what `pulumi up` makes is really there, ends by itself, and goes without a trace."""

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.engine.project import NO_CHANGE, PACK, ROOT, Project, project
from tests.sandbox.world import aws, state_of, until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
STACK = "aws-p5"


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stack, up, with nothing configured."""
    made = project(tmp_path_factory.mktemp("project"), STACK)
    made.run("preview", *PACK)
    assert living() == []
    made.up(*PACK)
    return made


def described() -> list[dict[str, Any]]:
    """The stack's machines, as the cloud knows them."""
    mine = [{"Name": "tag:accelctl:stack", "Values": [STACK]}]
    found = aws("ec2").describe_instances(Filters=mine)["Reservations"]
    return [one for reservation in found for one in reservation["Instances"]]


def living() -> list[str]:
    return [one["InstanceId"] for one in described() if one["State"]["Name"] in ("pending", "running")]


def schedules() -> list[dict[str, Any]]:
    scheduler = aws("scheduler")
    found = scheduler.list_schedules()["Schedules"]
    return [scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"]) for one in found]


def test_what_is_made_is_right_and_safe(stack: Project) -> None:
    """One spot p5 with 32 EFA cards, IMDSv2 only, no public address, an encrypted disk, and our labels."""
    (machine,) = described()
    labels = {tag["Key"]: tag["Value"] for tag in machine["Tags"]}
    cards = [one["InterfaceType"] for one in machine["NetworkInterfaces"]]
    template = aws("ec2").describe_launch_template_versions(LaunchTemplateId=id_of(stack, "LaunchTemplate::p5"))
    disk = template["LaunchTemplateVersions"][-1]["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]

    assert (machine["InstanceType"], machine["InstanceLifecycle"]) == ("p5.48xlarge", "spot")
    assert sorted(cards) == ["efa"] + ["efa-only"] * 31
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert "PublicIpAddress" not in machine
    assert (disk["Encrypted"], disk["DeleteOnTermination"]) == (True, True)
    assert {key: labels[f"accelctl:{key}"] for key in ("managed", "stack", "team")} == {
        "managed": "accelctl", "stack": STACK, "team": "unassigned"
    }  # fmt: skip
    assert stack.outputs()["machines"] == [machine["InstanceId"]]


def id_of(stack: Project, ending: str) -> str:
    return next(identity for name, identity in stack.resources().items() if name.endswith(ending))


def test_a_shell_is_reached_through_the_clouds_own_door_and_no_open_port(stack: Project) -> None:
    """One Instance Connect endpoint; ssh is open to its group alone, and the output says the command."""
    ec2 = aws("ec2")
    mine = [{"Name": "tag:accelctl:stack", "Values": [STACK]}]
    (door,) = ec2.describe_instance_connect_endpoints()["InstanceConnectEndpoints"]
    groups = {one["GroupId"]: one for one in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]}
    rules = [rule for one in groups.values() for rule in one["IpPermissions"]]

    assert set(door["SecurityGroupIds"]) < set(groups)
    assert [rule["UserIdGroupPairs"][0]["GroupId"] for rule in rules if rule.get("FromPort") == 22] == (
        door["SecurityGroupIds"]
    )
    assert not [rule for rule in rules if rule["IpRanges"] or rule["Ipv6Ranges"]]
    assert living()[0] in stack.outputs()["connect"][0]


def test_its_end_is_scheduled_without_any_process_of_ours(stack: Project) -> None:
    """One schedule that calls TerminateInstances, with a role for this stack's machines, and deletes itself."""
    (schedule,) = schedules()
    ends_at = stack.outputs()["ends_at"]

    assert schedule["ScheduleExpression"] == f"at({ends_at.rstrip('Z')})"
    assert schedule["Target"]["Arn"].endswith("aws-sdk:ec2:terminateInstances")
    assert living()[0] in schedule["Target"]["Input"]


def test_up_again_changes_nothing_though_the_time_has_moved_on(stack: Project) -> None:
    """The moment of the end was fixed when it was made."""
    before = stack.outputs()["ends_at"]
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)

    assert stack.outputs()["ends_at"] == before


def test_another_duration_moves_the_end_and_another_team_is_said_and_the_machine_stays(stack: Project) -> None:
    """The schedule is made anew; machine and disk are labelled anew and go on."""
    machine, before = living(), stack.outputs()["ends_at"]
    stack.configure(endAfter="3h", team="vision")
    stack.up(*PACK)

    assert (living(), len(schedules())) == (machine, 1)
    assert stack.outputs()["ends_at"] < before
    labels = {tag["Key"]: tag["Value"] for tag in described()[0]["Tags"]}
    assert labels["accelctl:expires-at"] == stack.outputs()["ends_at"]
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)
    vision = [{"Name": "tag:accelctl:team", "Values": ["vision"]}]
    assert [one["Attachments"][0]["InstanceId"] for one in aws("ec2").describe_volumes(Filters=vision)["Volumes"]] == (
        machine
    )


@pytest.mark.full
def test_two_nodes_stand_close_together(stack: Project) -> None:
    """A cluster placement group holds both, and one schedule ends both; the preview says that the first is replaced."""
    stack.configure(nodes="2")
    preview = stack.run("preview")
    assert [line for line in preview.stdout.splitlines() if "aws:ec2:Instance p5-0 replace" in line], preview.stdout
    stack.up(*PACK)
    there = [one for one in described() if one["InstanceId"] in living()]

    assert len(there) == 2
    assert len({one["Placement"]["GroupName"] for one in there} - {""}) == 1
    assert all(one["InstanceId"] in schedules()[0]["Target"]["Input"] for one in there)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("instanceType", "p5.49xlarge", "p5.48xlarge"),
        ("nodes", "many", "from 1 to 64"),
        ("endAfter", "30d", "from 5m to 14d"),
        ("capacity", "cheap", "spot, capacity-block, reservation, on-demand"),
        ("colour", "red", "endAfter"),
        pytest.param("zone", "us-east-1z", "us-east-1a, us-east-1b", marks=pytest.mark.full),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project, key: str, value: str, said: str) -> None:
    """Before anything is made."""
    stack.refuses(key, value, said)


def test_the_end_really_ends_the_machines_and_destroy_leaves_nothing(stack: Project) -> None:
    """Past its end the cloud itself has terminated them; destroy removes the rest, asked of the cloud."""
    stack.configure(nodes="2", endAfter="3h")
    stack.up(*PACK)
    ending = living()
    ask("clock", advance=str(4 * 3600))
    assert until(lambda: all(state_of(one) == "terminated" for one in ending))
    assert ask("status")["failed_schedules"] == []

    stack.run("destroy", "--yes", "--skip-preview")

    ec2, iam = aws("ec2"), aws("iam")
    mine = [{"Name": "tag:accelctl:stack", "Values": [STACK]}]
    assert living() == []
    assert schedules() == []
    assert not ec2.describe_instance_connect_endpoints()["InstanceConnectEndpoints"]
    assert not ec2.describe_vpcs(Filters=mine)["Vpcs"]
    assert not ec2.describe_launch_templates(Filters=mine)["LaunchTemplates"]
    assert not ec2.describe_placement_groups(Filters=mine)["PlacementGroups"]
    assert not [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("p5")]
    assert not iam.list_instance_profiles()["InstanceProfiles"]


@pytest.fixture
def fresh(sandbox: dict[str, Any], tmp_path: Path) -> Iterator[Project]:
    """Another stack of the family, not yet up."""
    made = project(tmp_path, f"{STACK}-again")
    yield made
    made.run("destroy", "--yes", "--skip-preview")


def test_machines_have_an_end_before_their_schedule_and_until_they_are_gone(fresh: Project) -> None:
    """Ctrl-C while one is made: it ends itself by its label, and the next `up` makes no second one. A destroy that
    cannot remove a machine leaves its end, and the role that keeps it.
    """
    fresh.configure(capacity="on-demand")
    assert fresh.interrupted("aws:ec2:Instance", when="creating") != 0
    (machine,) = launched(fresh)
    assert (ending(machine), itself(machine)) == ([], True)
    fresh.up()
    assert launched(fresh) == [machine]

    protect(machine, True)
    refused = fresh.run("destroy", "--yes", "--skip-preview", well=False)
    protect(machine, False)
    assert "OperationNotPermitted" in refused.stdout
    (role,) = ending(machine)
    aws("iam").get_role(RoleName=role)


def itself(machine: str) -> bool:
    """It has the script that ends it, and may read its own label."""
    ec2 = aws("ec2")
    script = ec2.describe_instance_attribute(InstanceId=machine, Attribute="userData")["UserData"]["Value"]
    told = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]["MetadataOptions"]
    return (
        base64.b64decode(script) == (ROOT / "stacks/components/own_end.sh").read_bytes()
        and told["InstanceMetadataTags"] == "enabled"
    )


def ending(machine: str) -> list[str]:
    """The roles by which schedules are going to end it."""
    mine = [one["Target"] for one in schedules() if machine in one["Target"]["Input"]]
    return [one["RoleArn"].rsplit("/", 1)[-1] for one in mine]


def protect(machine: str, yes: bool) -> None:
    aws("ec2").modify_instance_attribute(InstanceId=machine, DisableApiTermination={"Value": yes})


def test_an_unknown_stack_is_told_what_there_is(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """With the nearest name."""
    done = project(tmp_path, "aws-p6").run("preview", well=False)

    assert done.returncode != 0
    assert "Did you mean aws-p5?" in done.stdout


@pytest.mark.parametrize(
    ("family", "instance_type", "efa"),
    [("aws-p4d", "p4d.24xlarge", 4), ("aws-trn1", "trn1.32xlarge", 8)],
)
@pytest.mark.full
def test_the_other_families_use_every_card_too(tmp_path: Path, family: str, instance_type: str, efa: int) -> None:
    """Up, unchanged, and gone again."""
    made = project(tmp_path, family)
    made.up(*PACK)
    made.up(NO_CHANGE, *PACK)
    machine = aws("ec2").describe_instances(InstanceIds=made.outputs()["machines"])["Reservations"][0]["Instances"][0]

    assert (machine["InstanceType"], len(machine["NetworkInterfaces"])) == (instance_type, efa)
    made.run("destroy", "--yes", "--skip-preview")
    assert until(lambda: state_of(machine["InstanceId"]) == "terminated")


@pytest.fixture
def booked(sandbox: dict[str, Any], tmp_path: Path) -> Project:
    """A stack that is about to buy a capacity block of one machine for a day."""
    offered = aws("ec2").describe_capacity_block_offerings(
        InstanceType="p5.48xlarge", InstanceCount=1, CapacityDurationHours=24
    )["CapacityBlockOfferings"][0]
    made = project(tmp_path, f"{STACK}-{secrets.token_hex(4)}")
    made.configure(
        capacity="capacity-block", offering=offered["CapacityBlockOfferingId"], zone=offered["AvailabilityZone"]
    )
    return made


def reserved(identity: str) -> dict[str, Any]:
    return aws("ec2").describe_capacity_reservations(CapacityReservationIds=[identity])["CapacityReservations"][0]


def fees() -> list[tuple[str, str]]:
    return [(one["resource"], one["usd"]) for one in ask("ledger")["lines"] if one["kind"] == "capacity-block"]


def test_a_capacity_block_is_bought_once_and_outlives_the_stack(booked: Project) -> None:
    """Its machine starts when the block does; destroy leaves the block and says so."""
    booked.up(*PACK)
    outputs = booked.outputs()
    block = outputs["reservation"]
    assert (reserved(block)["State"], outputs["machines"]) == ("scheduled", [])
    ask("clock", advance="1860")
    booked.up(*PACK)
    (machine,) = booked.outputs()["machines"]
    seen = aws("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    assert (seen["InstanceLifecycle"], seen["CapacityReservationId"]) == ("capacity-block", block)
    left = booked.run("destroy", "--yes", "--skip-preview", "--exclude-protected")

    assert "protected resources associated with this stack" in left.stdout
    assert until(lambda: state_of(machine) == "terminated")
    assert [one for one in booked.resources().values() if one.startswith("cr-")] == [block]
    assert (reserved(block)["State"], [name for name, _ in fees()].count(block)) == ("active", 1)


@pytest.mark.full
def test_a_reservation_of_its_own_ends_with_the_machines(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Made, filled and moved with the end; destroy cancels it."""
    made = project(tmp_path, f"{STACK}-reserved")
    made.configure(capacity="reservation")
    made.run("preview", *PACK)
    made.up(*PACK)
    mine = made.outputs()["reservation"]
    before = reserved(mine)
    made.configure(endAfter="1d")
    made.up(*PACK)

    assert (before["AvailableInstanceCount"], before["EndDateType"]) == (0, "limited")
    assert made.outputs()["reservation"] == mine
    assert f"{reserved(mine)['EndDate']:%Y-%m-%dT%H:%M:%SZ}" == made.outputs()["ends_at"]
    assert reserved(mine)["EndDate"] > before["EndDate"]
    made.run("destroy", "--yes", "--skip-preview")
    assert reserved(mine)["State"] == "cancelled"


@pytest.mark.full
def test_machines_run_in_a_reservation_that_is_there_and_leave_it(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """By its id; destroy ends the machines alone. In the wrong zone the cloud refuses."""
    wanted: dict[str, Any] = {
        "InstanceType": "p5.48xlarge", "InstancePlatform": "Linux/UNIX", "InstanceCount": 2,
        "AvailabilityZone": "us-east-1b", "InstanceMatchCriteria": "targeted",
    }  # fmt: skip
    theirs = aws("ec2").create_capacity_reservation(**wanted)["CapacityReservation"]["CapacityReservationId"]
    made = project(tmp_path, f"{STACK}-theirs")
    made.configure(capacity="reservation", reservation=theirs, nodes="2", zone="us-east-1a")
    refused = made.up(*PACK, well=False)
    assert "ReservationCapacityExceeded" in refused.stdout
    made.configure(zone="us-east-1b")
    made.up(*PACK)
    assert reserved(theirs)["AvailableInstanceCount"] == 0
    made.run("destroy", "--yes", "--skip-preview")

    assert until(lambda: reserved(theirs)["AvailableInstanceCount"] == 2)
    assert reserved(theirs)["State"] == "active"


@pytest.mark.full
def test_another_offering_buys_nothing_more(booked: Project) -> None:
    """The stack keeps what it bought, and says so."""
    booked.run("preview", *PACK)
    booked.up(*PACK)
    booked.configure(offering="cb-0123456789abcdef0")
    before = fees()

    kept = booked.up(NO_CHANGE, *PACK)

    assert "this stack keeps what it bought" in kept.stdout
    assert fees() == before
    refused = booked.run("destroy", "--yes", "--skip-preview", well=False)
    assert (refused.returncode != 0, "because it is protected" in refused.stdout) == (True, True)


@pytest.mark.full
def test_a_block_that_does_not_fit_is_named_by_key_and_forgotten_once_it_has_ended(booked: Project) -> None:
    """It is bought, and nothing is launched that it does not hold; past its end, refresh forgets it."""
    booked.configure(nodes="2")
    wrong = booked.up(*PACK, well=False)
    assert "accelctl:nodes is '2': the capacity block holds 1" in wrong.stdout
    assert "Traceback" not in wrong.stdout + wrong.stderr
    booked.configure(nodes="1")
    ask("clock", advance="1860")
    booked.up(*PACK)
    (machine,) = booked.outputs()["machines"]
    ask("clock", advance=str(24 * 3600 - 1700))
    assert until(lambda: state_of(machine) == "terminated")
    ask("clock", advance="3600")

    booked.run("refresh", "--yes", "--skip-preview")
    booked.run("destroy", "--yes", "--skip-preview")

    assert booked.resources() == {}


@pytest.mark.full
def test_nothing_is_launched_once_the_end_has_passed(fresh: Project) -> None:
    """By the cloud's clock, where this computer's lags behind, and a stack's second time by either."""
    ask("clock", advance=str(12 * 3600))
    at_birth = fresh.up(well=False)
    assert "the end of this stack is" in at_birth.stdout
    assert not launched(fresh)
    fresh.configure(endAfter="13d")
    fresh.up()
    ec2, scheduler = aws("ec2"), aws("scheduler")
    ec2.terminate_instances(InstanceIds=launched(fresh))
    group = next(one for one in scheduler.list_schedule_groups()["ScheduleGroups"] if one["Name"] != "default")
    late = [{"Key": "accelctl:expires-at", "Value": "2026-01-01T00:00:00Z"}]
    scheduler.tag_resource(ResourceArn=group["Arn"], Tags=late)
    fresh.run("refresh", "--yes", "--skip-preview")

    for refused in (fresh.run("preview", well=False), fresh.up(well=False)):
        assert "the end of this stack is 2026-01-01T00:00:00Z" in refused.stdout
        assert "endAfter" in refused.stdout
    assert not launched(fresh)


def launched(stack: Project) -> list[str]:
    return [identity for name, identity in stack.resources().items() if "aws:ec2/instance:Instance" in name]
