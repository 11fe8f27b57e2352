"""Network cards and placement groups: kept as asked, refused where the type or the group is wrong."""

from typing import Any

import pytest

from tests.sandbox.world import aws, describe, launch, refused, until

pytestmark = pytest.mark.usefixtures("sandbox")


def cards(count: int, *, kind: str = "efa") -> list[dict[str, Any]]:
    """One interface a card; those beyond the first carry no address."""
    subnets = aws("ec2").describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])
    subnet = subnets["Subnets"][0]["SubnetId"]
    further = {"SubnetId": subnet, "DeviceIndex": 1, "InterfaceType": "efa-only", "DeleteOnTermination": True}
    first = {"SubnetId": subnet, "DeviceIndex": 0, "InterfaceType": kind, "DeleteOnTermination": True}
    return [first, *(further | {"NetworkCardIndex": index} for index in range(1, count))]


def test_every_card_has_its_interface_and_they_go_with_the_machine() -> None:
    """A p5 with 32 EFA interfaces has 32, each on its card."""
    made = launch("true", InstanceType="p5.48xlarge", NetworkInterfaces=cards(32), Placement=None)
    seen = until(lambda: describe(made["InstanceId"]))["NetworkInterfaces"]

    assert [one["InterfaceType"] for one in seen] == ["efa"] + ["efa-only"] * 31
    assert sorted(one["Attachment"]["NetworkCardIndex"] for one in seen) == list(range(32))
    aws("ec2").terminate_instances(InstanceIds=[made["InstanceId"]])
    left = {one["NetworkInterfaceId"] for one in aws("ec2").describe_network_interfaces()["NetworkInterfaces"]}
    assert not left & {one["NetworkInterfaceId"] for one in seen}


@pytest.mark.parametrize(
    ("instance_type", "count", "code"),
    [
        ("g5.xlarge", 1, "InvalidParameterCombination"),
        ("p4d.24xlarge", 5, "AttachmentLimitExceeded"),
    ],
)
def test_a_type_without_so_many_cards_refuses(instance_type: str, count: int, code: str) -> None:
    """EFA on a type that has none, and one card too many."""
    wrong = cards(count)

    assert (
        refused(lambda: launch("true", InstanceType=instance_type, NetworkInterfaces=wrong, Placement=None))[0] == code
    )


def test_several_interfaces_take_no_public_address() -> None:
    """The combination is refused by name."""
    wrong = cards(2)
    wrong[0]["AssociatePublicIpAddress"] = True

    assert refused(lambda: launch("true", NetworkInterfaces=wrong, Placement=None))[0] == "InvalidParameterCombination"


def test_a_placement_group_is_made_used_and_kept_while_in_use() -> None:
    """Unknown, twice, in use: each is refused with its code; afterwards it goes."""
    ec2, near = aws("ec2"), {"GroupName": "near", "AvailabilityZone": "us-east-1a"}
    assert refused(lambda: launch("true", Placement=near))[0] == "InvalidPlacementGroup.Unknown"
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "accelctl:job", "Value": "j1"}]}]
    ec2.create_placement_group(GroupName="near", Strategy="cluster", TagSpecifications=tags)
    mine = [{"Name": "tag:accelctl:job", "Values": ["j1"]}]
    made = launch("true", Placement=near)["InstanceId"]

    assert [one["GroupName"] for one in ec2.describe_placement_groups(Filters=mine)["PlacementGroups"]] == ["near"]
    assert until(lambda: describe(made))["Placement"]["GroupName"] == "near"
    assert refused(lambda: ec2.create_placement_group(GroupName="near"))[0] == "InvalidPlacementGroup.Duplicate"
    assert refused(lambda: ec2.delete_placement_group(GroupName="near"))[0] == "InvalidPlacementGroup.InUse"
    ec2.terminate_instances(InstanceIds=[made])
    ec2.delete_placement_group(GroupName="near")
    assert refused(lambda: ec2.describe_placement_groups(GroupNames=["near"]))[0] == "InvalidPlacementGroup.Unknown"


def test_labels_change_of_what_has_no_machine_in_it_too() -> None:
    """CreateTags and DeleteTags take templates, placement groups and Instance Connect endpoints as anything else."""
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    door = ec2.create_instance_connect_endpoint(SubnetId=subnet)["InstanceConnectEndpoint"]["InstanceConnectEndpointId"]
    group = ec2.create_placement_group(GroupName="told", Strategy="cluster")["PlacementGroup"]["GroupId"]
    template = ec2.create_launch_template(LaunchTemplateName="told", LaunchTemplateData={"InstanceType": "p5.48xlarge"})
    all_of_them = [door, group, template["LaunchTemplate"]["LaunchTemplateId"]]

    def told() -> list[Any]:
        (a_door,) = ec2.describe_instance_connect_endpoints(InstanceConnectEndpointIds=[door])[
            "InstanceConnectEndpoints"
        ]
        (a_group,) = ec2.describe_placement_groups(GroupNames=["told"])["PlacementGroups"]
        (a_template,) = ec2.describe_launch_templates(LaunchTemplateNames=["told"])["LaunchTemplates"]
        found = (a_door, a_group, a_template)
        return [[(tag["Key"], tag["Value"]) for tag in one.get("Tags", [])] for one in found]

    ec2.create_tags(Resources=all_of_them, Tags=[{"Key": "owner", "Value": "ada"}])
    assert told() == [[("owner", "ada")]] * 3
    ec2.delete_tags(Resources=all_of_them, Tags=[{"Key": "owner"}])
    assert told() == [[], [], []]


def test_a_machine_is_pending_before_it_runs_and_shutting_down_before_it_is_gone() -> None:
    """The phases of EC2, in their order."""
    aws("ec2")
    made = launch("sleep 60")
    ended = aws("ec2").terminate_instances
    until(lambda: (describe(made["InstanceId"]) or {}).get("State", {}).get("Name") == "running")

    assert made["State"]["Name"] == "pending"
    assert ended(InstanceIds=[made["InstanceId"]])["TerminatingInstances"][0]["CurrentState"]["Name"] == "shutting-down"
    assert until(lambda: describe(made["InstanceId"])["State"]["Name"] == "terminated")  # type: ignore[index]
