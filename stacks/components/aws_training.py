"""Machines for distributed training: every network card used, close together, spot by default, with an end."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels, load
from provisioner.catalog.policies import trust
from provisioner.catalog.tariffs import image_parameter
from provisioner.domain.machines import MachineType
from stacks.components.aws_end import End
from stacks.components.aws_network import PrivateNetwork
from stacks.settings import Key, label, lasting, one_of, text, whole

WITH_THE_MACHINE = ("volume", "network-interface")
LONGEST = timedelta(days=14)
KEYS = (
    Key(name="nodes", parse=whole(1, 64), default="1", help="machines, close together where there are several"),
    Key(name="capacity", parse=one_of("spot", "on-demand"), default="spot", help="how they are bought"),
    Key(name="endAfter", parse=lasting(LONGEST), default="8h", help="when they end, counted from their launch"),
    Key(name="zone", parse=text, default="", help="availability zone; the first that sells the type by default"),
    Key(name="diskGib", parse=whole(50, 16000), default="200", help="GiB of each machine's disk"),
    Key(name="owner", parse=text, default="", help="label; the caller's name by default"),
    Key(name="team", parse=label, default="unassigned", help="label"),
    Key(name="costCenter", parse=label, default="unassigned", help="label"),
)


def keys_for(family: Sequence[str]) -> tuple[Key, ...]:
    return (Key(name="instanceType", parse=one_of(*family), default=family[0], help="machine type"),)


class TrainingMachines(pulumi.ComponentResource):
    """One launch template and its machines. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:TrainingMachines", name, None, None)
        self._name, self._config = name, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._machine = known(config["instanceType"])
        self._marks = marks_of(config)
        region = aws.get_region().region
        zone = config["zone"] or first_zone(config["instanceType"])
        self._network = PrivateNetwork(name, zone=zone, region=region, labels=self._marks, opts=self._mine)
        self._region = region
        self.end = End(name, after=config["endAfter"], marks=self._marks, opts=self._mine)
        template = self._template(self._profile())
        self.machines = [self._instance(template, number) for number in range(config["nodes"])]
        self.end.over([machine.id for machine in self.machines])
        self.register_outputs({})

    def _profile(self) -> aws.iam.InstanceProfile:
        """The machines' own identity: nothing is granted yet."""
        role = aws.iam.Role(
            f"{self._name}-machine", assume_role_policy=trust("ec2.amazonaws.com"), tags=self._marks, opts=self._mine
        )
        return aws.iam.InstanceProfile(f"{self._name}-machine", role=role.name, tags=self._marks, opts=self._mine)

    def _template(self, profile: aws.iam.InstanceProfile) -> aws.ec2.LaunchTemplate:
        parameter = image_parameter(self._machine.image, self._machine.architecture) or ""
        disk = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            volume_size=self._config["diskGib"], volume_type="gp3", encrypted="true", delete_on_termination="true"
        )
        market = aws.ec2.LaunchTemplateInstanceMarketOptionsArgs(market_type="spot")
        return aws.ec2.LaunchTemplate(
            self._name, image_id=aws.ssm.get_parameter(name=parameter).value, instance_type=self._machine.instance_type,
            network_interfaces=self._cards(), instance_initiated_shutdown_behavior="terminate",
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(name=profile.name),
            instance_market_options=market if self._config["capacity"] == "spot" else None,
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/sda1", ebs=disk)
            ],
            placement=self._close_together(),
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=self._marks)
                for kind in WITH_THE_MACHINE
            ],
            tags=self.end.at.apply(lambda at: self._marks | {labels.EXPIRES_AT: at}), opts=self._mine,
        )  # fmt: skip

    def _cards(self) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgs]:
        """EFA on every card; those beyond the first carry no address."""
        cards = range(max(self._machine.efa_interfaces, 1))
        kinds = ["efa" if self._machine.efa_interfaces else "interface", *("efa-only" for _ in cards[1:])]
        return [
            aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                network_card_index=card, device_index=int(card > 0), interface_type=kinds[card],
                subnet_id=self._network.subnet_id, security_groups=[self._network.group_id],
                delete_on_termination="true",
                associate_public_ip_address="false" if len(cards) == 1 else None,
            )
            for card in cards
        ]  # fmt: skip

    def _close_together(self) -> aws.ec2.LaunchTemplatePlacementArgs | None:
        """A cluster placement group, where there are several machines."""
        if self._config["nodes"] == 1:
            return None
        group = aws.ec2.PlacementGroup(self._name, strategy="cluster", tags=self._marks, opts=self._mine)
        return aws.ec2.LaunchTemplatePlacementArgs(group_name=group.name)

    def _instance(self, template: aws.ec2.LaunchTemplate, number: int) -> aws.ec2.Instance:
        name = f"{self._name}-{number}"
        tags = self.end.at.apply(lambda at: self._marks | {"Name": name, labels.EXPIRES_AT: at})
        version = template.latest_version.apply(str)
        return aws.ec2.Instance(
            name,
            launch_template=aws.ec2.InstanceLaunchTemplateArgs(id=template.id, version=version),
            tags=tags,
            opts=self._mine,
        )

    def export(self) -> None:
        """What a person uses."""
        price = self._machine.on_demand_in(self._region)
        pulumi.export("machines", [machine.id for machine in self.machines])
        pulumi.export("addresses", [machine.private_ip for machine in self.machines])
        pulumi.export("ends_at", self.end.at)
        pulumi.export("on_demand_usd_per_hour", f"{price * self._config['nodes']}" if price is not None else "unknown")


def known(instance_type: str) -> MachineType:
    """Raises RunError for what the catalog lacks."""
    found = load().find("aws", instance_type)
    if found is None:
        raise pulumi.RunError(f"the catalog has no {instance_type}.")
    return found


def marks_of(config: dict[str, Any]) -> dict[str, str]:
    """The labels of everything in the stack."""
    owner = config["owner"] or aws.get_caller_identity().arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    return labels.ours(owner=owner, stack=pulumi.get_stack(), team=config["team"], cost_center=config["costCenter"])


def first_zone(instance_type: str) -> str:
    """The first zone of the region that sells the type. Raises RunError where none does."""
    offers = aws.ec2.get_instance_type_offerings(
        location_type="availability-zone", filters=[{"name": "instance-type", "values": [instance_type]}]
    )
    if not offers.locations:
        raise pulumi.RunError(
            f"accelctl:instanceType: no zone of this region sells {instance_type}.\nhint: set aws:region."
        )
    return sorted(offers.locations)[0]
