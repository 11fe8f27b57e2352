"""Machines for development and inference: a group on spot capacity that opens and closes with the office, and ends."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.policies import may_scale
from stacks.components.aws_end import RESIZE, End
from stacks.components.aws_machine import (
    KEYS,
    key_of_end,
    known,
    launch_template,
    marks_of,
    zones_selling,
)
from stacks.components.aws_network import PrivateNetwork, connect
from stacks.settings import Key, one_of, whole

HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")
MOST_ZONES = 6
AS_IT_IS = -1


def hours(value: str) -> tuple[str, str] | None:
    """When to open and to close, as minute and hour of a cron line; None for never."""
    if value == "off":
        return None
    if not (found := HOURS.fullmatch(value)):
        raise ValueError("it is such as 08:00-18:00, or off")
    opens, closes = f"{int(found[2])} {int(found[1])}", f"{int(found[4])} {int(found[3])}"
    if opens == closes:
        raise ValueError("it opens and closes in the same minute; it is such as 08:00-18:00, or off")
    return opens, closes


def timezone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError) as wrong:
        raise ValueError("it is a time zone such as Europe/Berlin") from wrong


def some_of(family: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        if strange := [name for name in found if name not in family]:
            raise ValueError(f"'{strange[0]}' is none of {', '.join(family)}")
        return found

    return parse


def keys_for(family: Sequence[str], usual: Sequence[str]) -> tuple[Key, ...]:
    return (
        Key(name="instanceTypes", parse=some_of(family), default=",".join(usual), help="machine types, the best first"),
        Key(name="machines", parse=whole(1, 16), default="1", help="how many the group holds while it is open"),
        Key(name="capacity", parse=one_of("spot", "on-demand"), default="spot", help="how they are bought"),
        Key(name="hours", parse=hours, default="08:00-18:00", help="opens on workdays, closes every day; or off"),
        Key(name="timezone", parse=timezone, default="UTC", help="of the hours"),
        key_of_end("7d"),
        *KEYS,
    )


class OfficeMachines(pulumi.ComponentResource):
    """One group. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:OfficeMachines", name, None, None)
        self._name, self._config = name, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._marks = marks_of(config)
        self._region = aws.get_region().region
        zones = zones_selling(config["instanceTypes"])[:MOST_ZONES]
        self._network = PrivateNetwork(name, zones=zones, region=self._region, labels=self._marks, opts=self._mine)
        self.end = End(
            name, after=config["endAfter"], call=RESIZE, allowed=may_scale(labels.STACK, pulumi.get_stack()),
            marks=self._marks, opts=self._mine,
        )  # fmt: skip
        card = aws.ec2.LaunchTemplateNetworkInterfaceArgs(
            device_index=0, security_groups=[self._network.group_id], delete_on_termination="true",
            associate_public_ip_address="false",
        )  # fmt: skip
        template = launch_template(
            name, known(config["instanceTypes"][0]), cards=[card], disk_gib=config["diskGib"], marks=self._marks,
            ends_at=self.end.at, belongings=[(kind, self._marks) for kind in ("volume", "network-interface")],
            opts=self._mine,
        )  # fmt: skip
        self.group = self._group(template, self._closing(template.name))
        self._office_hours()
        self.register_outputs({})

    def _closing(self, group: pulumi.Output[str]) -> aws.scheduler.Schedule:
        """By the group's name, which is its template's, so that its end is there before it."""
        closed = {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}
        return self.end.by(group.apply(lambda name: {"AutoScalingGroupName": name} | closed))

    def _group(self, template: aws.ec2.LaunchTemplate, end: aws.scheduler.Schedule) -> aws.autoscaling.Group:
        """Scales to zero; its size while it is open belongs to the clock, so `up` leaves that alone."""
        policies = aws.autoscaling
        policy = policies.GroupMixedInstancesPolicyArgs(
            launch_template=policies.GroupMixedInstancesPolicyLaunchTemplateArgs(
                launch_template_specification=policies.GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs(
                    launch_template_id=template.id, version=template.latest_version.apply(str)
                ),
                overrides=[
                    policies.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs(instance_type=one)
                    for one in self._config["instanceTypes"]
                ],
            ),
            instances_distribution=policies.GroupMixedInstancesPolicyInstancesDistributionArgs(
                on_demand_base_capacity=0, spot_allocation_strategy="price-capacity-optimized",
                on_demand_percentage_above_base_capacity=0 if self._config["capacity"] == "spot" else 100,
            ),
        )  # fmt: skip
        tags = self.end.at.apply(lambda at: passed_on(self._marks | {"Name": self._name, labels.EXPIRES_AT: at}))
        return aws.autoscaling.Group(
            self._name, name=template.name, min_size=0, max_size=self._config["machines"],
            desired_capacity=self._config["machines"],
            capacity_rebalance=True, vpc_zone_identifiers=self._network.subnet_ids, mixed_instances_policy=policy,
            tags=tags,
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["desiredCapacity"], hooks=self._in_time(), depends_on=[end],
                delete_before_replace=True,
            ),
        )  # fmt: skip

    def _in_time(self) -> pulumi.ResourceHookBinding:
        """At its end it was emptied for good: a change would open it again."""
        fewer = pulumi.ResourceHook(f"{self._name}-fewer", say_fewer, pulumi.ResourceHookOptions(on_dry_run=True))
        return pulumi.ResourceHookBinding(before_create=[self.end.in_time], before_update=[self.end.in_time, fewer])

    def _office_hours(self) -> None:
        """It closes on every day: what somebody started on a Saturday goes home as well."""
        if self._config["hours"] is None:
            return
        opens, closes = self._config["hours"]
        for name, line, size in (
            ("opens", f"{opens} * * 1-5", self._config["machines"]),
            ("closes", f"{closes} * * *", 0),
        ):
            aws.autoscaling.Schedule(
                f"{self._name}-{name}", scheduled_action_name=name, autoscaling_group_name=self.group.name,
                recurrence=line, time_zone=self._config["timezone"], desired_capacity=size, min_size=AS_IT_IS,
                max_size=AS_IT_IS, opts=self._mine,
            )  # fmt: skip

    def export(self) -> None:
        """What a person uses."""
        prices = [known(one).on_demand_in(self._region) for one in self._config["instanceTypes"]]
        dearest = max((price for price in prices if price is not None), default=None)
        sure = dearest is not None and None not in prices
        pulumi.export("group", self.group.name)
        pulumi.export("connect", connect("INSTANCE"))
        pulumi.export("ends_at", self.end.at)
        pulumi.export(
            "on_demand_usd_per_hour", f"{dearest * self._config['machines']}" if dearest and sure else "unknown"
        )


def say_fewer(change: pulumi.ResourceHookArgs) -> None:
    """AWS ends what is more than a new maximum, whatever it is doing."""
    before, after = ((inputs or {}).get("maxSize", 0) for inputs in (change.old_inputs, change.new_inputs))
    if after < before:
        pulumi.log.warn(f"machines: {int(before)} become {int(after)}, at once: AWS ends what is more, and chooses it.")


def passed_on(marks: dict[str, str]) -> list[aws.autoscaling.GroupTagArgs]:
    return [
        aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
        for key, value in sorted(marks.items())
    ]
