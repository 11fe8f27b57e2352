"""Machines for distributed training: every network card used, close together, spot by default, with an end."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from stacks.components import aws_capacity
from stacks.components.aws_machine import (
    KEYS,
    key_of_end,
    key_of_type,
    known,
    launch_template,
    marks_of,
    zone_among,
    zones_selling,
)
from stacks.components.aws_network import PrivateNetwork, connect
from stacks.settings import Key, text, whole


def keys_for(family: Sequence[str]) -> tuple[Key, ...]:
    return (
        key_of_type(family),
        Key(name="nodes", parse=whole(1, 64), default="1", help="machines, close together where there are several"),
        *aws_capacity.KEYS,
        key_of_end("8h"),
        Key(name="zone", parse=text, default="", help="availability zone; the first that sells the type by default"),
        *KEYS,
    )


class TrainingMachines(pulumi.ComponentResource):
    """One launch template and its machines. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:TrainingMachines", name, None, None)
        aws_capacity.refuse_unfitting(config)
        self._name, self._config = name, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._machine = known(config["instanceType"])
        self._marks = marks_of(config)
        self._region = aws.get_region().region
        zone = zone_among(zones_selling([config["instanceType"]]), config["zone"])
        self._network = PrivateNetwork(name, zones=[zone], region=self._region, labels=self._marks, opts=self._mine)
        group = self._close_together()
        self._capacity = aws_capacity.had(
            name, config, zone=zone, group=group, marks=self._marks, opts=self._mine
        )  # fmt: skip
        template = self._template(group)
        self.machines = self._capacity.open.apply(
            lambda yes: [self._instance(template, number) for number in range(config["nodes"])] if yes else []
        )
        if self._capacity.end:
            self._capacity.end.by(self._all("id").apply(lambda found: {"InstanceIds": found}))
        self.register_outputs({})

    def _template(self, group: aws.ec2.PlacementGroup | None) -> aws.ec2.LaunchTemplate:
        placement = aws.ec2.LaunchTemplatePlacementArgs(group_name=group.name) if group else None
        return launch_template(
            self._name, self._machine, cards=self._cards(), disk_gib=self._config["diskGib"], marks=self._marks,
            ends_at=self._capacity.ends_at, market=self._capacity.market, reservation=self._capacity.reservation,
            placement=placement, belongings=[("network-interface", labels.unchanging(self._marks))],
            ends_itself=self._capacity.end is not None, opts=self._mine,
        )  # fmt: skip

    def _all(self, what: str) -> pulumi.Output[list[Any]]:
        """One output of every machine."""
        return self.machines.apply(lambda found: pulumi.Output.all(*(getattr(one, what) for one in found)))

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

    def _close_together(self) -> aws.ec2.PlacementGroup | None:
        """A cluster placement group, where there are several machines; prepaid ones stand where they were bought."""
        if self._config["nodes"] == 1 or self._config["offering"] or self._config["reservation"]:
            return None
        return aws.ec2.PlacementGroup(self._name, strategy="cluster", tags=self._marks, opts=self._mine)

    def _instance(self, template: aws.ec2.LaunchTemplate, number: int) -> aws.ec2.Instance:
        """Its disks are labelled by it, not by the template, so that other labels leave it running."""
        name = f"{self._name}-{number}"
        version = template.latest_version.apply(str)
        return aws.ec2.Instance(
            name,
            launch_template=aws.ec2.InstanceLaunchTemplateArgs(id=template.id, version=version),
            tags=self._marks | {"Name": name, labels.EXPIRES_AT: self._capacity.ends_at},
            volume_tags=self._marks,
            opts=pulumi.ResourceOptions.merge(self._mine, self._ending()),
        )

    def _ending(self) -> pulumi.ResourceOptions:
        """Nothing where the cloud ends the machines without being asked."""
        end = self._capacity.end
        if end is None:
            return pulumi.ResourceOptions()
        return pulumi.ResourceOptions(
            hooks=pulumi.ResourceHookBinding(before_create=[end.in_time]), depends_on=[end.policy]
        )

    def export(self) -> None:
        """What a person uses."""
        price = self._machine.on_demand_in(self._region)
        pulumi.export("machines", self._all("id"))
        pulumi.export("addresses", self._all("private_ip"))
        pulumi.export("connect", self._all("id").apply(lambda found: [connect(one) for one in found]))
        pulumi.export("reservation", self._capacity.reservation)
        pulumi.export("ends_at", self._capacity.ends_at)
        pulumi.export("on_demand_usd_per_hour", f"{price * self._config['nodes']}" if price is not None else "unknown")
