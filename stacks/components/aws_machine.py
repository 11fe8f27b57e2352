"""What every AWS machine of a stack is launched with: identity, image, disk, metadata service, labels, end."""

import base64
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels, load
from provisioner.catalog.policies import trust
from provisioner.catalog.tariffs import image_parameter
from provisioner.domain.machines import MachineType
from stacks.settings import LABELS, Key, lasting, marks, one_of, refusal, whole

LONGEST = timedelta(days=14)
OWN_END = Path(__file__).with_name("own_end.sh")
REGIONS = [one.value for one in aws.Region]
REGION = Key(name="aws:region", parse=one_of("", *REGIONS), default="", help="a region of AWS")
KEYS = (
    REGION,
    Key(name="diskGib", parse=whole(50, 16000), default="200", help="GiB of each machine's disk"),
    *LABELS,
)


def key_of_end(default: str) -> Key:
    return Key(name="endAfter", parse=lasting(LONGEST), default=default, help="when they end, counted from launch")


def key_of_type(family: Sequence[str]) -> Key:
    return Key(name="instanceType", parse=one_of(*family), default=family[0], help="machine type")


def known(instance_type: str) -> MachineType:
    """Raises RunError for what the catalog lacks."""
    found = load().find("aws", instance_type)
    if found is None:
        raise pulumi.RunError(f"the catalog has no {instance_type}.")
    return found


def marks_of(config: dict[str, Any]) -> dict[str, str]:
    """The labels of everything in the stack."""
    return marks(config, lambda: aws.get_caller_identity().arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1])


def zones_selling(instance_types: Sequence[str]) -> list[str]:
    """The zones of the region that sell one of the types, in order. Raises RunError where none does."""
    offers = aws.ec2.get_instance_type_offerings(
        location_type="availability-zone", filters=[{"name": "instance-type", "values": list(instance_types)}]
    )
    if not offers.locations:
        raise pulumi.RunError(
            f"accelctl:instanceType: no zone of this region sells {', '.join(instance_types)}.\nhint: set aws:region."
        )
    return sorted(set(offers.locations))


def zone_among(selling: Sequence[str], wanted: str) -> str:
    """The first, where none is wanted. Raises RunError for one that sells none of the machines."""
    if wanted and wanted not in selling:
        raise refusal(
            "zone", wanted, f"the zones of this region that sell the machine are {', '.join(selling)}",
            "pulumi config set zone to one of them, or aws:region",
        )  # fmt: skip
    return wanted or selling[0]


def identity(name: str, marks: dict[str, str], opts: pulumi.ResourceOptions) -> aws.iam.InstanceProfile:
    """The machines' own: nothing is granted yet."""
    role = aws.iam.Role(f"{name}-machine", assume_role_policy=trust("ec2.amazonaws.com"), tags=marks, opts=opts)
    return aws.iam.InstanceProfile(f"{name}-machine", role=role.name, tags=marks, opts=opts)


def launch_template(
    name: str,
    machine: MachineType,
    *,
    cards: list[aws.ec2.LaunchTemplateNetworkInterfaceArgs],
    disk_gib: int,
    marks: dict[str, str],
    ends_at: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
    market: str | None = None,
    reservation: pulumi.Input[str] | None = None,
    placement: aws.ec2.LaunchTemplatePlacementArgs | None = None,
    belongings: Iterable[tuple[str, dict[str, str]]],
    ends_itself: bool = False,
) -> aws.ec2.LaunchTemplate:
    """IMDSv2 only, an encrypted disk that goes with the machine, the right image, an end in its labels.

    `belongings` are resource types of what is made with a machine, and their labels. Other ones are another version of
    the template, which replaces a single machine. What `ends_itself` looks for its own label, in its metadata.
    """
    parameter = image_parameter(machine.image, machine.architecture) or ""
    disk = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        volume_size=disk_gib, volume_type="gp3", encrypted="true", delete_on_termination="true"
    )
    return aws.ec2.LaunchTemplate(
        name, image_id=aws.ssm.get_parameter(name=parameter).value, instance_type=machine.instance_type,
        network_interfaces=cards, instance_initiated_shutdown_behavior="terminate",
        iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(name=identity(name, marks, opts).name),
        instance_market_options=aws.ec2.LaunchTemplateInstanceMarketOptionsArgs(market_type=market) if market else None,
        capacity_reservation_specification=targeting(reservation) if reservation else None,
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1,
            instance_metadata_tags="enabled" if ends_itself else None,
        ),
        user_data=base64.b64encode(OWN_END.read_bytes()).decode() if ends_itself else None,
        block_device_mappings=[aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/sda1", ebs=disk)],
        placement=placement,
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags) for kind, tags in belongings
        ],
        tags=marks | {labels.EXPIRES_AT: ends_at}, opts=opts,
    )  # fmt: skip


def targeting(reservation: pulumi.Input[str]) -> aws.ec2.LaunchTemplateCapacityReservationSpecificationArgs:
    target = aws.ec2.LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs
    return aws.ec2.LaunchTemplateCapacityReservationSpecificationArgs(
        capacity_reservation_target=target(capacity_reservation_id=reservation)
    )
