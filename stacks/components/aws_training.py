"""Machines for distributed training: every network card used, close together, spot by default, with an end."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.policies import may_terminate
from stacks.components.aws_end import TERMINATE, End
from stacks.components.aws_machine import (
    KEYS,
    key_of_end,
    key_of_type,
    known,
    launch_template,
    marks_of,
    zones_selling,
)
from stacks.components.aws_network import PrivateNetwork, connect
from stacks.settings import Key, one_of, text, whole


def keys_for(family: Sequence[str]) -> tuple[Key, ...]:
    return (
        key_of_type(family),
        Key(name="nodes", parse=whole(1, 64), default="1", help="machines, close together where there are several"),
        Key(name="capacity", parse=one_of("spot", "on-demand"), default="spot", help="how they are bought"),
        key_of_end("8h"),
        Key(name="zone", parse=text, default="", help="availability zone; the first that sells the type by default"),
        *KEYS,
    )


class TrainingMachines(pulumi.ComponentResource):
    """One launch template and its machines. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:TrainingMachines", name, None, None)
        self._name, self._config = name, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._machine = known(config["instanceType"])
        self._marks = marks_of(config)
        self._region = aws.get_region().region
        zone = config["zone"] or zones_selling([config["instanceType"]])[0]
        self._network = PrivateNetwork(name, zones=[zone], region=self._region, labels=self._marks, opts=self._mine)
        self.end = End(name, after=config["endAfter"], marks=self._marks, opts=self._mine)
        template = launch_template(
            name, self._machine, cards=self._cards(), disk_gib=config["diskGib"], marks=self._marks,
            ends_at=self.end.at, spot=config["capacity"] == "spot", placement=self._close_together(), opts=self._mine,
        )  # fmt: skip
        self.machines = [self._instance(template, number) for number in range(config["nodes"])]
        ids = pulumi.Output.all(*(machine.id for machine in self.machines))
        self.end.by(
            TERMINATE, ids.apply(lambda found: {"InstanceIds": found}),
            may_terminate(labels.STACK, pulumi.get_stack()),
        )  # fmt: skip
        self.register_outputs({})

    def _cards(self) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgs]:
        """EFA on every card; those beyond the first carry no address."""
        cards = range(max(self._machine.efa_interfaces, 1))
        kinds = ["efa" if self._machine.efa_interfaces else "interface", *("efa-only" for _ in cards[1:])]
        return [
            aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                network_card_index=card, device_index=int(card > 0), interface_type=kinds[card],
                subnet_id=self._network.subnet_ids[0], security_groups=[self._network.group_id],
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
        pulumi.export("connect", [machine.id.apply(connect) for machine in self.machines])
        pulumi.export("ends_at", self.end.at)
        pulumi.export("on_demand_usd_per_hour", f"{price * self._config['nodes']}" if price is not None else "unknown")
