"""Metric alarms turn by the sandbox's clock, and say so to their topic."""

import json
import secrets
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.sandbox.world import aws, until

pytestmark = pytest.mark.usefixtures("sandbox")
MINUTE = 61


def watched(missing: str, **more: Any) -> tuple[str, str]:
    """Name of an alarm that wants a success in one of three minutes, and the queue that hears of it."""
    name = f"watch-{secrets.token_hex(3)}"
    topic, queue = aws("sns").create_topic(Name=name)["TopicArn"], aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    place = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=place)
    asked: dict[str, Any] = {
        "AlarmName": name, "Namespace": name, "MetricName": "Success", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 3, "DatapointsToAlarm": 3, "Threshold": 1, "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": missing, "AlarmActions": [topic],
    }  # fmt: skip
    aws("cloudwatch").put_metric_alarm(**asked | more)
    return name, queue


def state(name: str) -> str:
    return aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def pass_minutes(count: int) -> None:
    ask("clock", advance=str(MINUTE * count))


def test_silence_of_three_periods_is_an_alarm_where_missing_is_breaching() -> None:
    """Success first, then nothing: the topic hears of it once, and of the return to order it is not told."""
    name, queue = watched("breaching")
    assert state(name) == "INSUFFICIENT_DATA"
    aws("cloudwatch").put_metric_data(Namespace=name, MetricData=[{"MetricName": "Success", "Value": 1}])
    pass_minutes(1)
    assert until(lambda: state(name) == "OK")
    pass_minutes(4)
    assert until(lambda: state(name) == "ALARM")
    letters = until(lambda: aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))
    assert letters
    (letter,) = letters
    aws("cloudwatch").put_metric_data(Namespace=name, MetricData=[{"MetricName": "Success", "Value": 1}])
    pass_minutes(1)

    assert until(lambda: state(name) == "OK")
    said = json.loads(json.loads(letter["Body"])["Message"])
    assert (said["AlarmName"], said["OldStateValue"], said["NewStateValue"]) == (name, "OK", "ALARM")
    aws("cloudwatch").delete_alarms(AlarmNames=[name])


@pytest.mark.parametrize(("missing", "becomes"), [("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA")])
def test_silence_means_what_the_alarm_says_of_it(missing: str, becomes: str) -> None:
    """A value over its threshold is an alarm all the same; another dimension is another metric."""
    name, _ = watched(missing, ComparisonOperator="GreaterThanThreshold", DatapointsToAlarm=1)
    other = [{"MetricName": "Success", "Value": 9, "Dimensions": [{"Name": "Region", "Value": "x"}]}]
    aws("cloudwatch").put_metric_data(Namespace=name, MetricData=other)
    pass_minutes(1)
    assert until(lambda: state(name) == becomes)
    aws("cloudwatch").put_metric_data(Namespace=name, MetricData=[{"MetricName": "Success", "Value": 9}])
    pass_minutes(1)
    assert until(lambda: state(name) == "ALARM")
    pass_minutes(5)

    assert until(lambda: state(name) == becomes)
    aws("cloudwatch").delete_alarms(AlarmNames=[name])
