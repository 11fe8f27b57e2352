"""The end of machines, kept by EventBridge Scheduler: no process of ours has to be alive for it.

The moment is fixed when it is first made. It lives in the labels of a schedule group whose logical name holds the
duration: `up` a day later changes nothing, another duration makes another group with another moment.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.policies import trust
from stacks.components.in_time import in_time
from stacks.settings import KEPT_MOMENT

TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
RESIZE = "arn:aws:scheduler:::aws-sdk:autoscaling:updateAutoScalingGroup"


class End(pulumi.ComponentResource):
    """`at` is the moment as text, RFC 3339 in UTC, known once the group is made; `by` says what happens then.

    `in_time` is for `before_create` of what it ends.
    """

    def __init__(self, name: str, *, after: timedelta, marks: dict[str, str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("accelctl:aws:End", name, None, opts)
        self._name, self._marks = name, marks
        self._after = int(after.total_seconds() // 60)
        self._mine = pulumi.ResourceOptions(parent=self)
        moment = f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"
        self.group = aws.scheduler.ScheduleGroup(
            f"{name}-{self._after}m", tags=marks | {labels.EXPIRES_AT: moment},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[KEPT_MOMENT]),
        )  # fmt: skip
        self.at = self.group.tags.apply(lambda tags: (tags or {}).get(labels.EXPIRES_AT, moment))
        self.in_time = in_time(name, self.at, made=self.group.creation_date)

    def by(self, call: str, arguments: pulumi.Output[dict[str, Any]], allowed: str) -> None:
        """Makes the call at the moment, by a role that may do what the policy `allowed` says and nothing else."""
        role = aws.iam.Role(
            self._name, assume_role_policy=trust("scheduler.amazonaws.com"), tags=self._marks, opts=self._mine
        )
        policy = aws.iam.RolePolicy(self._name, role=role.name, policy=allowed, opts=self._mine)
        aws.scheduler.Schedule(
            f"{self._name}-{self._after}m", group_name=self.group.name, action_after_completion="DELETE",
            schedule_expression=self.at.apply(lambda at: f"at({at.rstrip('Z')})"), schedule_expression_timezone="UTC",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(arn=call, role_arn=role.arn, input=arguments.apply(json.dumps)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )  # fmt: skip
