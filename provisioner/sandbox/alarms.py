"""Metric alarms that really fire: moto keeps them and never looks. By the sandbox's clock, once a minute as AWS does.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html. What AWS publishes of itself
(AWS/SQS and the like) the sandbox does not: those alarms judge what is missing.
"""

import json
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, Dimension
from moto.core import DEFAULT_ACCOUNT_ID

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap

EVERY = timedelta(minutes=1)
NO_DATA = "INSUFFICIENT_DATA"
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum, "Maximum": max, "Minimum": min, "SampleCount": len, "Average": lambda held: sum(held) / len(held),
}  # fmt: skip
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt, "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt, "LessThanOrEqualToThreshold": operator.le,
}  # fmt: skip
MISSING = {"breaching": True, "notBreaching": False}


class Alarms:
    """One metric and one statistic; expressions and composite alarms keep the state that they were made with."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock

    def install(self) -> None:
        wrap(CloudWatchBackend, "put_metric_alarm", self._kept)
        wrap(CloudWatchBackend, "put_metric_data", self._stamped)

    def _stamped(self, original: Any, backend: CloudWatchBackend, namespace: str, rows: list[dict[str, Any]]) -> None:
        """What comes without a time is of now, by the sandbox's clock."""
        now = self._clock.now().replace(tzinfo=None)
        original(backend, namespace, [row if row.get("Timestamp") else row | {"Timestamp": now} for row in rows])

    def _kept(self, original: Any, backend: CloudWatchBackend, **asked: Any) -> Alarm:
        """A change keeps the state."""
        before = backend.alarms.get(asked["name"])
        alarm = original(backend, **asked)
        alarm.state_value = before.state_value if before else NO_DATA
        if alarm.statistic in STATISTICS and alarm.comparison_operator in BREACHES:
            self._plan(backend, alarm)
        return alarm

    def _plan(self, backend: CloudWatchBackend, alarm: Alarm) -> None:
        self._clock.at(self._clock.now() + EVERY, lambda: self._due(backend, alarm))

    def _due(self, backend: CloudWatchBackend, alarm: Alarm) -> None:
        """Unless it was deleted or changed meanwhile."""
        if backend.alarms.get(alarm.name) is alarm:
            self._plan(backend, alarm)
            self._turn(alarm, judged(alarm, self._periods(backend, alarm)))

    def _periods(self, backend: CloudWatchBackend, alarm: Alarm) -> list[list[float]]:
        """The values of each period, the newest last."""
        now, period = self._clock.now(), timedelta(seconds=int(alarm.period))
        found: list[list[float]] = [[] for _ in range(int(alarm.evaluation_periods))]
        for row in [row for row in backend.metric_data if measures(alarm, row)]:
            back = (now - aware(row.timestamp)) // period
            if 0 <= back < len(found):
                found[-1 - back].append(row.value)
        return found

    def _turn(self, alarm: Alarm, state: str) -> None:
        before = alarm.state_value
        if state in ("", before):
            return
        alarm.update_state(f"{alarm.metric_name} over {alarm.evaluation_periods} periods", "{}", state)
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions, NO_DATA: alarm.insufficient_data_actions}
        for topic in (actions[state] or []) if alarm.actions_enabled else []:
            tell(topic, alarm, before, self._clock.now())


def judged(alarm: Alarm, periods: Sequence[Sequence[float]]) -> str:
    """The state; empty where it stays as it is."""
    breaches, of = BREACHES[alarm.comparison_operator], STATISTICS[alarm.statistic]
    said = alarm.treat_missing_data or "missing"
    verdicts = [breaches(of(held), float(alarm.threshold)) if held else MISSING.get(said) for held in periods]
    known = [one for one in verdicts if one is not None]
    if not known:
        return "" if said == "ignore" else NO_DATA
    return "ALARM" if known.count(True) >= int(alarm.datapoints_to_alarm or len(periods)) else "OK"


def measures(alarm: Alarm, row: Any) -> bool:
    """Dimensions match exactly, as on AWS; rows of statistics are not counted."""
    wanted: list[Dimension] = sorted(alarm.dimensions)
    named = (row.namespace, row.name) == (alarm.namespace, alarm.metric_name)
    return named and hasattr(row, "value") and sorted(row.dimensions) == wanted


def aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def tell(topic: str, alarm: Alarm, before: str, now: datetime) -> None:
    """As CloudWatch writes to SNS. A topic that is gone hears nothing."""
    from moto.sns.models import sns_backends

    held = sns_backends[DEFAULT_ACCOUNT_ID][topic.split(":")[3]].topics.get(topic)
    said = {
        "AlarmName": alarm.name, "AlarmDescription": alarm.description, "AWSAccountId": DEFAULT_ACCOUNT_ID,
        "NewStateValue": alarm.state_value, "OldStateValue": before, "NewStateReason": alarm.state_reason,
        "StateChangeTime": now.isoformat(timespec="milliseconds"), "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn, "Trigger": {"MetricName": alarm.metric_name, "Namespace": alarm.namespace},
    }  # fmt: skip
    if held:
        held.publish(json.dumps(said), subject=f'{alarm.state_value}: "{alarm.name}" in {alarm.region_name}')
