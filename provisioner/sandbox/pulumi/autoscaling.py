"""Auto Scaling's resource types, as pulumi-aws names and shapes them."""

from typing import Any

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, without_error
from provisioner.sandbox.pulumi.wait import until
from provisioner.sandbox.pulumi.wire import given, pascal


def wanted(inputs: Inputs) -> dict[str, Any]:
    template = inputs.get("launchTemplate") or {}
    named = {"LaunchTemplateId": template.get("id"), "LaunchTemplateName": template.get("name"),
             "Version": template.get("version")}  # fmt: skip
    subnets = inputs.get("vpcZoneIdentifiers")
    return given({
        "AutoScalingGroupName": inputs["name"], "MinSize": inputs["minSize"], "MaxSize": inputs["maxSize"],
        "DesiredCapacity": inputs.get("desiredCapacity"), "VPCZoneIdentifier": ",".join(subnets) if subnets else None,
        "AvailabilityZones": inputs.get("availabilityZones"), "LaunchTemplate": given(named),
        "MixedInstancesPolicy": policy(inputs.get("mixedInstancesPolicy")),
        "HealthCheckType": inputs.get("healthCheckType"),
    })  # fmt: skip


def policy(inputs: Inputs | None) -> dict[str, Any] | None:
    if not inputs:
        return None
    template, shares = inputs["launchTemplate"], inputs.get("instancesDistribution")
    named = template["launchTemplateSpecification"]
    specification = {"LaunchTemplateId": named.get("launchTemplateId"), "Version": named.get("version"),
                     "LaunchTemplateName": named.get("launchTemplateName")}  # fmt: skip
    overrides = [given({"InstanceType": one.get("instanceType")}) for one in template.get("overrides") or []]
    return given({
        "LaunchTemplate": given({"LaunchTemplateSpecification": given(specification), "Overrides": overrides}),
        "InstancesDistribution": pascal(shares),
    })  # fmt: skip


def tags(inputs: Inputs) -> list[dict[str, Any]]:
    """A group's tags are a list, each with a word on whether its machines get it."""
    return [
        {"ResourceId": inputs["name"], "ResourceType": "auto-scaling-group", "Key": one["key"], "Value": one["value"],
         "PropagateAtLaunch": one.get("propagateAtLaunch", False)}
        for one in inputs.get("tags") or []
    ]  # fmt: skip


def create(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    """Returns once the machines that it begins with are in service."""
    more = {"CapacityRebalance": inputs["capacityRebalance"]} if "capacityRebalance" in inputs else {}
    clients("autoscaling").create_auto_scaling_group(**wanted(inputs), **more, Tags=tags(inputs))
    least = inputs.get("desiredCapacity", inputs["minSize"])
    until(lambda: size(clients, inputs["name"]) >= least, f"{inputs['name']}: no capacity for {least} machines")
    return inputs["name"], read(clients, inputs["name"], inputs) or {}


def read(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = described(clients, name)
    if not found:
        return None
    return {"arn": found["AutoScalingGroupARN"], "minSize": found["MinSize"], "maxSize": found["MaxSize"],
            "desiredCapacity": found["DesiredCapacity"]}  # fmt: skip


def described(clients: Clients, name: str) -> dict[str, Any]:
    found = clients("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return found[0] if found else {}


def size(clients: Clients, name: str) -> int:
    return len([one for one in described(clients, name).get("Instances", []) if one["LifecycleState"] == "InService"])


def update(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    """The real provider says a size only where the program changed it."""
    changed = {**old, **new}
    asked = wanted(changed)
    if old.get("desiredCapacity") == new.get("desiredCapacity"):
        asked.pop("DesiredCapacity", None)
    clients("autoscaling").update_auto_scaling_group(**asked)
    clients("autoscaling").create_or_update_tags(Tags=tags(changed))


def delete(clients: Clients, name: str, _: Inputs) -> None:
    """Empties it first: a group with machines is not deleted."""
    if not described(clients, name):
        return
    scaling = clients("autoscaling")
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0)
    until(lambda: size(clients, name) == 0, f"{name}: its machines do not end")
    without_error(lambda: scaling.delete_auto_scaling_group(AutoScalingGroupName=name))


def action(inputs: Inputs) -> dict[str, Any]:
    """-1 leaves as it is; what is not said is 0."""
    sizes = {"MinSize": inputs.get("minSize", 0), "MaxSize": inputs.get("maxSize", 0),
             "DesiredCapacity": inputs.get("desiredCapacity", 0)}  # fmt: skip
    return given({
        "AutoScalingGroupName": inputs["autoscalingGroupName"], "ScheduledActionName": inputs["scheduledActionName"],
        "Recurrence": inputs.get("recurrence"), "TimeZone": inputs.get("timeZone"),
    }) | {name: int(value) for name, value in sizes.items() if value >= 0}  # fmt: skip


def put(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("autoscaling").put_scheduled_update_group_action(**action(inputs))
    return inputs["scheduledActionName"], scheduled(clients, inputs["scheduledActionName"], inputs) or {}


def scheduled(clients: Clients, name: str, state: Inputs) -> Inputs | None:
    found = clients("autoscaling").describe_scheduled_actions(
        AutoScalingGroupName=state["autoscalingGroupName"], ScheduledActionNames=[name]
    )["ScheduledUpdateGroupActions"]
    return {"arn": found[0].get("ScheduledActionARN", "")} if found else None


def take_off(clients: Clients, name: str, state: Inputs) -> None:
    group = state["autoscalingGroupName"]
    if scheduled(clients, name, state):
        clients("autoscaling").delete_scheduled_action(AutoScalingGroupName=group, ScheduledActionName=name)


KINDS: dict[str, Kind] = {
    "aws:autoscaling/group:Group": Kind(
        create=create, read=read, delete=delete, update=update, replaces=("name",), autoname="name",
        computed=("arn", "desiredCapacity"), required=("minSize", "maxSize"),
    ),
    "aws:autoscaling/schedule:Schedule": Kind(
        create=put, read=scheduled, delete=take_off, update=lambda clients, _, old, new: put(clients, new) and None,
        replaces=("autoscalingGroupName", "scheduledActionName"), required=("autoscalingGroupName",),
        autoname="scheduledActionName",
    ),
}  # fmt: skip
