"""The end of machines, kept by EventBridge Scheduler: no process of ours has to be alive for it.

The moment is fixed when it is first made. It lives in the labels of a schedule group whose logical name holds the
duration: `up` a day later changes nothing, another duration makes another group with another moment.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.policies import may_terminate, trust

TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"


class End(pulumi.ComponentResource):
    """`at` is the moment as text, RFC 3339 in UTC, known once the group is made; `over` schedules it for machines."""

    def __init__(self, name: str, *, after: timedelta, marks: dict[str, str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("accelctl:aws:End", name, None, opts)
        self._name, self._stack = name, marks[labels.STACK]
        self._after = int(after.total_seconds() // 60)
        self._mine = pulumi.ResourceOptions(parent=self)
        moment = f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"
        self.group = aws.scheduler.ScheduleGroup(
            f"{name}-{self._after}m", tags=marks | {labels.EXPIRES_AT: moment},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["tags"]),
        )  # fmt: skip
        self.at = self.group.tags.apply(lambda tags: (tags or {}).get(labels.EXPIRES_AT, moment))

    def over(self, machines: Sequence[pulumi.Output[str]]) -> None:
        """Terminates them all at the moment, with a role that can end this stack's machines and no other."""
        role = aws.iam.Role(self._name, assume_role_policy=trust("scheduler.amazonaws.com"), opts=self._mine)
        policy = aws.iam.RolePolicy(
            self._name, role=role.name, policy=may_terminate(labels.STACK, self._stack), opts=self._mine
        )
        ids = pulumi.Output.all(*machines).apply(lambda found: json.dumps({"InstanceIds": found}))
        aws.scheduler.Schedule(
            f"{self._name}-{self._after}m", group_name=self.group.name, action_after_completion="DELETE",
            schedule_expression=self.at.apply(lambda at: f"at({at.rstrip('Z')})"), schedule_expression_timezone="UTC",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(arn=TERMINATE, role_arn=role.arn, input=ids),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )  # fmt: skip
