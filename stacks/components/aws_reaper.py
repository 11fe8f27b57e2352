"""The reaper as a function: on a schedule, at every interruption warning, watched by alarms of its own."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog.foundation import bucket_name
from provisioner.catalog.policies import allow, document, may_keep, may_reap, trust
from provisioner.functions.bundle import HANDLER, RUNTIME, architecture, build
from provisioner.functions.thresholds import exemptions
from stacks.components import aws_existing as existing
from stacks.components.aws_machine import REGION, REGIONS, marks_of
from stacks.settings import BUCKET, LABELS, Key, lasting, one_of, refusal, several, shaped, topic, whole

NAME = "accelctl-reaper"
WARNING = '{"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}'
PATIENCE = timedelta(minutes=10)
"""Of one run: an interrupted machine has two minutes, and its successor has to be found."""
OWN = "accelctl/reaper"
"""The namespace of the reaper's own metrics."""
UNKNOWN_FOR = timedelta(days=1)
"""Before somebody is called: what is unknown is never ended, and costs on."""
MISSED = 3
"""Periods without a success before the alarm."""
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""


def log_days(value: str) -> int:
    """Raises ValueError for what CloudWatch does not take."""
    return int(one_of(*map(str, LOG_DAYS))(value))


KEYS = (
    Key(name="reap", parse=one_of("apply", "report"), default="apply", help="whether it acts or only reports"),
    Key(name="every", parse=lasting(timedelta(days=1)), default="5m", help="between two rounds"),
    Key(
        name="bucket",
        parse=shaped(BUCKET, "accelctl-123456789012"),
        default="",
        help="the job store; accelctl-<account> by default",
    ),
    Key(name="memoryMib", parse=whole(128, 10240), default="256", help="MiB of the function's memory"),
    Key(name="logDays", parse=log_days, default="30", help="days that its log is kept"),
    Key(
        name="thresholds",
        parse=exemptions,
        default="",
        help="exemptions as JSON: a list of tables, as in accelctl.toml",
    ),
    Key(
        name="scope",
        parse=one_of("accelctl", "account"),
        default="accelctl",
        help="accelctl's machines, or everybody's accelerators too, which are marked and never ended",
    ),
    Key(
        name="regions",
        parse=several(*REGIONS),
        default="",
        help="regions to look at beside the prepared ones, with commas; all that are enabled by default",
    ),
    Key(name="ownerTopic", parse=topic, default="", help="ARN of an SNS topic that tells owners of marks"),
    Key(name="alarmTopic", parse=topic, default="", help="ARN of an SNS topic that hears the alarm"),
    REGION,
    *LABELS,
)


class Reaper(pulumi.ComponentResource):
    """One function of one account. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:Reaper", name, None, None)
        self._name, self._config = name, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._marks = marks_of(config)
        refuse_missing(config["bucket"])
        existing.refuse_second(NAME)
        account = aws.get_caller_identity().account_id
        self._bucket = config["bucket"] or bucket_name(account)
        self._letters = aws.sqs.Queue(
            f"{name}-failed", message_retention_seconds=14 * 24 * 3600, sqs_managed_sse_enabled=True,
            tags=self._marks, opts=self._mine,
        )  # fmt: skip
        self.function = self._function(account)
        self._schedule()
        self._warnings()
        self._alarms()
        self.register_outputs({})

    def _role(self, name: str, service: str, policy: pulumi.Input[str]) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(name, assume_role_policy=trust(service), tags=self._marks, opts=self._mine)
        return role, aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=self._mine)

    def _function(self, account: str) -> aws.lambda_.Function:
        allowed = may_reap(
            account=account, bucket=self._bucket, topic=self._config["ownerTopic"],
            everybodys=self._config["scope"] == "account",
        )  # fmt: skip
        role, policy = self._role(self._name, "lambda.amazonaws.com", allowed)
        letters = aws.iam.RolePolicy(
            f"{self._name}-failed", role=role.name, policy=self._letters.arn.apply(may_keep), opts=self._mine
        )
        log = aws.cloudwatch.LogGroup(
            self._name, name=f"/aws/lambda/{NAME}", retention_in_days=self._config["logDays"], tags=self._marks,
            opts=self._mine,
        )  # fmt: skip
        packed = build(cache() / "reaper-aws.zip")
        return aws.lambda_.Function(
            self._name, name=NAME, handler=HANDLER, runtime=RUNTIME, architectures=[architecture()], role=role.arn,
            code=pulumi.FileArchive(str(packed)), memory_size=self._config["memoryMib"],
            timeout=int(PATIENCE.total_seconds()),
            dead_letter_config=aws.lambda_.FunctionDeadLetterConfigArgs(target_arn=self._letters.arn),
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=self._variables()),
            tags=self._marks, opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, letters, log]),
        )  # fmt: skip

    def _variables(self) -> dict[str, str]:
        said = {"REAP": self._config["reap"], "STORE": self._bucket, "THRESHOLDS": self._config["thresholds"],
                "SCOPE": self._config["scope"], "LOOK_IN": self._config["regions"],
                "OWNER_TOPIC": self._config["ownerTopic"]}  # fmt: skip
        return {f"ACCELCTL_{name}": value for name, value in said.items() if value}

    def _schedule(self) -> None:
        minutes = int(self._config["every"].total_seconds() // 60)
        invoke = self.function.arn.apply(lambda arn: document(allow("Start", ["lambda:InvokeFunction"], arn)))
        role, policy = self._role(f"{self._name}-schedule", "scheduler.amazonaws.com", invoke)
        letters = aws.iam.RolePolicy(
            f"{self._name}-schedule-failed", role=role.name, policy=self._letters.arn.apply(may_keep), opts=self._mine
        )
        aws.scheduler.Schedule(
            self._name, name=NAME, schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(
                arn=self.function.arn, role_arn=role.arn, input="{}",
                dead_letter_config=aws.scheduler.ScheduleTargetDeadLetterConfigArgs(arn=self._letters.arn),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, letters]),
        )  # fmt: skip

    def _warnings(self) -> None:
        """What the cloud says two minutes before it takes a machine back."""
        rule = aws.cloudwatch.EventRule(self._name, event_pattern=WARNING, tags=self._marks, opts=self._mine)
        aws.lambda_.Permission(
            self._name, action="lambda:InvokeFunction", function=self.function.name,
            principal="events.amazonaws.com", source_arn=rule.arn, opts=self._mine,
        )  # fmt: skip
        aws.cloudwatch.EventTarget(self._name, rule=rule.name, arn=self.function.arn, opts=self._mine)

    def _alarms(self) -> None:
        """No success in three periods, whatever the reason (no data counts as well); runs that failed for good."""
        period = max(60, int(self._config["every"].total_seconds()))
        self._alarm(
            self._name, "accelctl's reaper has not succeeded for three periods.", namespace=OWN, metric_name="Success",
            statistic="Sum", period=period, evaluation_periods=MISSED, datapoints_to_alarm=MISSED, threshold=1,
            comparison_operator="LessThanThreshold", treat_missing_data="breaching",
        )  # fmt: skip
        self._alarm(
            f"{self._name}-failed", "Starts or runs of accelctl's reaper failed for good: their queue holds them.",
            namespace="AWS/SQS", metric_name="ApproximateNumberOfMessagesVisible", statistic="Maximum", period=300,
            dimensions={"QueueName": self._letters.name}, evaluation_periods=1, threshold=0,
            comparison_operator="GreaterThanThreshold", treat_missing_data="notBreaching",
        )  # fmt: skip

        self._alarm(
            f"{self._name}-unknown", "A machine that accelctl's reaper cannot judge has been there for a day.",
            namespace=OWN, metric_name="OldestUnknownSeconds", statistic="Maximum", period=period,
            evaluation_periods=1, threshold=UNKNOWN_FOR.total_seconds(), comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
        )  # fmt: skip

    def _alarm(self, name: str, description: str, **watched: Any) -> None:
        topic = [self._config["alarmTopic"]] if self._config["alarmTopic"] else []
        aws.cloudwatch.MetricAlarm(
            name, alarm_description=description, alarm_actions=topic, tags=self._marks, opts=self._mine, **watched
        )

    def export(self) -> None:
        """What a person uses."""
        pulumi.export("function", self.function.name)
        pulumi.export("log", f"/aws/lambda/{NAME}")
        pulumi.export("store", self._bucket)
        pulumi.export("failures", self._letters.url)


def refuse_missing(bucket: str) -> None:
    """Raises RunError for a store that is named and not there: every round would fail."""
    if bucket and existing.home(bucket) is None:
        raise refusal(
            "bucket", bucket, "this account has no such bucket",
            "pulumi config rm bucket, for the one that 'accelctl setup' or the stack base-aws makes",
        )  # fmt: skip


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "accelctl"
