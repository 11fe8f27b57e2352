"""The end of TPU nodes, kept by Cloud Scheduler: no process of ours has to be alive for it.

It knows a node by its address, so that it is made before the node and goes after it.
"""

from datetime import UTC, datetime, timedelta

import pulumi
import pulumi_gcp as gcp

from stacks.components.gcp_names import account_id, role_id
from stacks.components.in_time import in_time

ALLOWED = ["tpu.nodes.delete", "tpu.nodes.get"]
"""All that the account may. Scheduler's own agent makes its tokens, by what the API's enabling granted it."""
RETRIES = gcp.cloudscheduler.JobRetryConfigArgs(
    retry_count=5, min_backoff_duration="60s", max_backoff_duration="960s", max_doublings=4
)
"""After 1, 2, 4, 8 and 16 minutes: what the API or a grant that is still on its way refuses at first is tried again."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class End(pulumi.ComponentResource):
    """`at` is fixed when it is first made: it stands beside the account whose token ends the nodes.

    The account's logical name holds the duration, so that another one makes another account with another moment.
    """

    def __init__(self, name: str, *, after: timedelta, project: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("accelctl:gcp:End", name, None, opts)
        self._after, self._mine = int(after.total_seconds() // 60), pulumi.ResourceOptions(parent=self)
        now = datetime.now(UTC)
        moment = f"{now + after:%Y-%m-%dT%H:%M:00Z}"
        self._keeper = gcp.serviceaccount.Account(
            f"{name}-{self._after}m", account_id=account_id(pulumi.get_stack(), f"{name}-{self._after}m"),
            display_name=moment, description="accelctl: ends the stack's TPU nodes at the moment of its name",
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["displayName"]),
        )  # fmt: skip
        self.at = self._keeper.display_name.apply(lambda text: text or moment)
        self._may = self._allowed(name, project, now)
        hook = in_time(name, self.at)
        self._in_time = pulumi.ResourceHookBinding(before_create=[hook])
        self._always_in_time = pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])

    def _allowed(self, name: str, project: str, now: datetime) -> gcp.projects.IAMMember:
        """The account may delete the project's nodes; Google cannot grant that for single ones."""
        role = gcp.projects.IAMCustomRole(
            name, project=project, role_id=role_id(pulumi.get_stack(), name, now), permissions=ALLOWED,
            title=f"accelctl: ends the TPU nodes of {pulumi.get_stack()}"[:100],
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["roleId"]),
        )  # fmt: skip
        member = self._keeper.email.apply(lambda email: f"serviceAccount:{email}")
        return gcp.projects.IAMMember(
            f"{name}-{self._after}m", project=project, role=role.name, member=member, opts=self._mine
        )

    def of(self, node: str, name: str, *, region: str) -> pulumi.ResourceOptions:
        """Deletes the node of that address at the moment, with the account's token: what the node depends on."""
        token = gcp.cloudscheduler.JobHttpTargetOauthTokenArgs(service_account_email=self._keeper.email, scope=SCOPE)
        job = gcp.cloudscheduler.Job(
            f"{name}-{self._after}m", region=region, time_zone="Etc/UTC", schedule=self.at.apply(cron),
            http_target=gcp.cloudscheduler.JobHttpTargetArgs(
                http_method="DELETE", uri=f"https://tpu.googleapis.com/v2/{node}", oauth_token=token
            ),
            retry_config=RETRIES,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._may], hooks=self._always_in_time),
        )  # fmt: skip
        return pulumi.ResourceOptions(hooks=self._in_time, depends_on=[job])


def cron(at: str) -> str:
    """The minute of the moment. Cron has no year: when it comes back, the node is long gone, and so is its name."""
    moment = datetime.fromisoformat(at)
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} *"
