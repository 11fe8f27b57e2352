"""EventBridge Scheduler's resource types, as pulumi-aws names and shapes them."""

from typing import Any

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tag_anew, tagged, tags_of, without_error
from provisioner.sandbox.pulumi.wire import given, pascal


def create_group(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("scheduler").create_schedule_group(**given({"Name": inputs["name"], "Tags": tags_of(inputs)}))
    return inputs["name"], read_group(clients, inputs["name"], inputs) or {"arn": found["ScheduleGroupArn"]}


def read_group(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("scheduler").get_schedule_group(Name=name))
    if not found:
        return None
    tags = clients("scheduler").list_tags_for_resource(ResourceArn=found["Arn"]).get("Tags")
    made = f"{found['CreationDate']:%Y-%m-%dT%H:%M:%SZ}"
    return {"arn": found["Arn"], "state": found["State"], "creationDate": made} | tagged(tags)


def update_group(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    scheduler = clients("scheduler")
    arn = scheduler.get_schedule_group(Name=name)["Arn"]
    tag_anew(scheduler.tag_resource, scheduler.untag_resource, {"ResourceArn": arn}, old, new)


def delete_group(clients: Clients, name: str, _: Inputs) -> None:
    """With every schedule in it, as on AWS."""
    without_error(lambda: clients("scheduler").delete_schedule_group(Name=name))


def wanted(inputs: Inputs) -> dict[str, Any]:
    return given({
        "Name": inputs["name"], "GroupName": inputs.get("groupName"), "State": inputs.get("state"),
        "ScheduleExpression": inputs["scheduleExpression"],
        "ScheduleExpressionTimezone": inputs.get("scheduleExpressionTimezone"),
        "FlexibleTimeWindow": pascal(inputs["flexibleTimeWindow"]), "Target": pascal(inputs["target"]),
        "ActionAfterCompletion": inputs.get("actionAfterCompletion"),
    })  # fmt: skip


def create_schedule(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("scheduler").create_schedule(**wanted(inputs))
    return f"{inputs.get('groupName', 'default')}/{inputs['name']}", {"arn": found["ScheduleArn"]}


def read_schedule(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    group, name = identity.split("/", 1)
    found = gone(lambda: clients("scheduler").get_schedule(GroupName=group, Name=name))
    return {"arn": found["Arn"]} if found else None


def update_schedule(clients: Clients, identity: str, old: Inputs, new: Inputs) -> None:
    clients("scheduler").update_schedule(**wanted(new))


def delete_schedule(clients: Clients, identity: str, _: Inputs) -> None:
    """Gone already is usual: a schedule that was due deletes itself."""
    group, name = identity.split("/", 1)
    without_error(lambda: clients("scheduler").delete_schedule(GroupName=group, Name=name))


KINDS: dict[str, Kind] = {
    "aws:scheduler/scheduleGroup:ScheduleGroup": Kind(
        create=create_group, read=read_group, delete=delete_group, update=update_group, autoname="name",
        computed=("arn", "state", "creationDate"),
    ),
    "aws:scheduler/schedule:Schedule": Kind(
        create=create_schedule, read=read_schedule, delete=delete_schedule, update=update_schedule,
        replaces=("name", "groupName"), autoname="name",
        required=("scheduleExpression", "flexibleTimeWindow", "target"),
    ),
}  # fmt: skip
