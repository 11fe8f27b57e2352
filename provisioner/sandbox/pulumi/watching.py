"""Resource types that watch and keep: CloudWatch, EventBridge rules, SQS, as pulumi-aws names and shapes them."""

from typing import Any

from provisioner.sandbox.pulumi.kinds import (
    Clients,
    Inputs,
    Kind,
    gone,
    tag_anew,
    tagged,
    tags_of,
    untold,
    without_error,
)
from provisioner.sandbox.pulumi.wire import given

RULE_TARGET = "accelctl"


def create_log(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("logs").create_log_group(**given({"logGroupName": inputs["name"], "tags": inputs.get("tags")}))
    keep(clients, inputs["name"], {}, inputs)
    return inputs["name"], read_log(clients, inputs["name"], inputs) or {}


def keep(clients: Clients, name: str, _: Inputs, inputs: Inputs) -> None:
    if days := inputs.get("retentionInDays"):
        clients("logs").put_retention_policy(logGroupName=name, retentionInDays=days)


def read_log(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    arn = next((one["arn"] for one in found if one["logGroupName"] == name), None)
    return {"arn": arn} | tagged(clients("logs").list_tags_for_resource(resourceArn=bare(arn))["tags"]) if arn else None


def bare(arn: str) -> str:
    """As tagging wants it."""
    return arn.removesuffix(":*")


def update_log(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    logs = clients("logs")
    keep(clients, name, old, new)
    arn = bare((read_log(clients, name, new) or {})["arn"])
    if lost := untold(old, new):
        logs.untag_resource(resourceArn=arn, tagKeys=lost)
    logs.tag_resource(resourceArn=arn, tags=new.get("tags") or {})


def delete_log(clients: Clients, name: str, _: Inputs) -> None:
    without_error(lambda: clients("logs").delete_log_group(logGroupName=name))


def put_rule(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("events").put_rule(**given({
        "Name": inputs["name"], "EventPattern": inputs.get("eventPattern"), "State": inputs.get("state"),
        "ScheduleExpression": inputs.get("scheduleExpression"), "Tags": tags_of(inputs),
    }))  # fmt: skip
    return inputs["name"], {"arn": found["RuleArn"]}


def read_rule(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("events").describe_rule(Name=name))
    return tags_by_arn(clients("events"), found["Arn"]) if found else None


def tags_by_arn(client: Any, arn: str) -> Inputs:
    return {"arn": arn} | tagged(client.list_tags_for_resource(ResourceARN=arn).get("Tags"))


def delete_rule(clients: Clients, name: str, _: Inputs) -> None:
    without_error(lambda: clients("events").delete_rule(Name=name))


def put_target(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    target = inputs.get("targetId") or RULE_TARGET
    clients("events").put_targets(Rule=inputs["rule"], Targets=[{"Id": target, "Arn": inputs["arn"]}])
    return f"{inputs['rule']}-{target}", {"targetId": target}


def read_target(clients: Clients, _: str, state: Inputs) -> Inputs | None:
    found = gone(lambda: clients("events").list_targets_by_rule(Rule=state["rule"])["Targets"]) or []
    return {} if any(one["Id"] == state.get("targetId", RULE_TARGET) for one in found) else None


def delete_target(clients: Clients, _: str, state: Inputs) -> None:
    ids = [state.get("targetId", RULE_TARGET)]
    without_error(lambda: clients("events").remove_targets(Rule=state["rule"], Ids=ids))


def put_alarm(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("cloudwatch").put_metric_alarm(**given({
        "AlarmName": inputs["name"], "AlarmDescription": inputs.get("alarmDescription"),
        "Namespace": inputs.get("namespace"), "MetricName": inputs.get("metricName"),
        "Statistic": inputs.get("statistic"), "Period": inputs.get("period"),
        "EvaluationPeriods": inputs["evaluationPeriods"], "DatapointsToAlarm": inputs.get("datapointsToAlarm"),
        "Threshold": float(inputs["threshold"]), "ComparisonOperator": inputs["comparisonOperator"],
        "TreatMissingData": inputs.get("treatMissingData"), "AlarmActions": inputs.get("alarmActions"),
        "Dimensions": [{"Name": name, "Value": held} for name, held in (inputs.get("dimensions") or {}).items()],
        "Tags": tags_of(inputs),
    }))  # fmt: skip
    return inputs["name"], read_alarm(clients, inputs["name"], inputs) or {}


def read_alarm(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return tags_by_arn(clients("cloudwatch"), found[0]["AlarmArn"]) if found else None


def delete_alarm(clients: Clients, name: str, _: Inputs) -> None:
    without_error(lambda: clients("cloudwatch").delete_alarms(AlarmNames=[name]))


def queue_settings(inputs: Inputs) -> dict[str, str]:
    names = {"messageRetentionSeconds": "MessageRetentionPeriod", "sqsManagedSseEnabled": "SqsManagedSseEnabled",
             "visibilityTimeoutSeconds": "VisibilityTimeout"}  # fmt: skip
    return {theirs: str(inputs[ours]).lower() for ours, theirs in names.items() if ours in inputs}


def create_queue(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    url = clients("sqs").create_queue(
        QueueName=inputs["name"], Attributes=queue_settings(inputs), tags=inputs.get("tags") or {}
    )["QueueUrl"]
    return url, read_queue(clients, url, inputs) or {}


def read_queue(clients: Clients, url: str, _: Inputs) -> Inputs | None:
    asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    found = gone(lambda: clients("sqs").get_queue_attributes(**asked)["Attributes"])
    if not found:
        return None
    tags: Inputs = clients("sqs").list_queue_tags(QueueUrl=url).get("Tags") or {}
    return {"arn": found["QueueArn"], "url": url} | tagged(tags)


def update_queue(clients: Clients, url: str, old: Inputs, new: Inputs) -> None:
    sqs = clients("sqs")
    sqs.set_queue_attributes(QueueUrl=url, Attributes=queue_settings(new))
    if lost := untold(old, new):
        sqs.untag_queue(QueueUrl=url, TagKeys=lost)
    sqs.tag_queue(QueueUrl=url, Tags=new.get("tags") or {})


def delete_queue(clients: Clients, url: str, _: Inputs) -> None:
    without_error(lambda: clients("sqs").delete_queue(QueueUrl=url))


def again(service: str, put: Any, read: Any) -> Any:
    """An update that is the same call as the creation, but for the tags, which that leaves as they are."""

    def update(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
        put(clients, new)
        client, named = clients(service), {"ResourceARN": read(clients, name, new)["arn"]}
        tag_anew(client.tag_resource, client.untag_resource, named, old, new)

    return update


KINDS: dict[str, Kind] = {
    "aws:cloudwatch/logGroup:LogGroup": Kind(
        create=create_log, read=read_log, delete=delete_log, update=update_log, replaces=("name",), autoname="name"
    ),
    "aws:cloudwatch/eventRule:EventRule": Kind(
        create=put_rule, read=read_rule, delete=delete_rule, update=again("events", put_rule, read_rule),
        replaces=("name",), autoname="name",
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Kind(
        create=put_target, read=read_target, delete=delete_target, computed=("targetId",), required=("rule", "arn")
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Kind(
        create=put_alarm, read=read_alarm, delete=delete_alarm, update=again("cloudwatch", put_alarm, read_alarm),
        replaces=("name",), autoname="name", required=("evaluationPeriods", "comparisonOperator"),
    ),
    "aws:sqs/queue:Queue": Kind(
        create=create_queue, read=read_queue, delete=delete_queue, update=update_queue, replaces=("name",),
        autoname="name", computed=("arn", "url"),
    ),
}  # fmt: skip
