"""The end of machines, kept by EventBridge Scheduler: no process of ours has to be alive for it.

What keeps it is made before what it ends, as far as AWS allows, and goes after it. A schedule names machines by their
ids, so that it cannot be there before them: until then, and should it be refused, they end themselves (own_end.sh).

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

    The call is made by a role that may do what the policy `allowed` says and nothing else; what is ended depends on
    that `policy`, so that neither goes before it. `in_time` is for `before_create` of what is ended.
    """

    def __init__(
        self, name: str, *, after: timedelta, call: str, allowed: str, marks: dict[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:  # fmt: skip
        super().__init__("accelctl:aws:End", name, None, opts)
        self._name, self._call = name, call
        self._after = int(after.total_seconds() // 60)
        self._mine = pulumi.ResourceOptions(parent=self)
        moment = f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"
        self.group = aws.scheduler.ScheduleGroup(
            f"{name}-{self._after}m", tags=marks | {labels.EXPIRES_AT: moment},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[KEPT_MOMENT]),
        )  # fmt: skip
        self.at = self.group.tags.apply(lambda tags: (tags or {}).get(labels.EXPIRES_AT, moment))
        self.in_time = in_time(name, self.at, made=self.group.creation_date)
        self._role = aws.iam.Role(
            name, assume_role_policy=trust("scheduler.amazonaws.com"), tags=marks, opts=self._mine
        )  # fmt: skip
        self.policy = aws.iam.RolePolicy(name, role=self._role.name, policy=allowed, opts=self._mine)

    def by(self, arguments: pulumi.Output[dict[str, Any]]) -> aws.scheduler.Schedule:
        """Makes the call at the moment. It goes with its group, which is there until what it ends is gone."""
        target = aws.scheduler.ScheduleTargetArgs(
            arn=self._call, role_arn=self._role.arn, input=arguments.apply(json.dumps)
        )
        return aws.scheduler.Schedule(
            f"{self._name}-{self._after}m", group_name=self.group.name, action_after_completion="DELETE",
            schedule_expression=self.at.apply(lambda at: f"at({at.rstrip('Z')})"), schedule_expression_timezone="UTC",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"), target=target,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.policy], deleted_with=self.group),
        )  # fmt: skip
