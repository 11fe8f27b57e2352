"""Documents of roles: what each may do, and nothing else. Data for clouds and stacks alike."""

import json
import re
from collections.abc import Sequence
from typing import Any

from provisioner.catalog.foundation import boundary_arn

VERSION = "2012-10-17"
TOPIC = re.compile(r"arn:aws[\w-]*:sns:([a-z0-9-]+):\d{12}:[\w-]+")
"""An SNS topic, with its region."""


def trust(service: str) -> str:
    """Who may take a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": VERSION, "Statement": [statement]})


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": VERSION, "Statement": list(statements)})


def may_terminate(key: str, value: str) -> str:
    """Ends the machines that carry this label, and no other."""
    condition = {"StringEquals": {f"aws:ResourceTag/{key}": value}}
    return document({"Effect": "Allow", "Action": "ec2:TerminateInstances", "Resource": "*", "Condition": condition})


def may_scale(key: str, value: str) -> str:
    """Changes the size of the groups that carry this label, and of no other."""
    condition = {"StringEquals": {f"aws:ResourceTag/{key}": value}}
    allowed = {"Action": "autoscaling:UpdateAutoScalingGroup", "Resource": "*", "Condition": condition}
    return document({"Effect": "Allow", **allowed})


VIA_SECRETS = {"StringLike": {"kms:ViaService": ["ssm.*.amazonaws.com", "secretsmanager.*.amazonaws.com"]}}
"""Secrets under a key of the customer's own; the key's policy has the last word."""
VIA_S3 = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}
AT_MOST = (
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket",
    "ssm:GetParameter", "secretsmanager:GetSecretValue", "cloudwatch:PutMetricData",
)  # fmt: skip


def at_most() -> str:
    """The boundary of every job's role."""
    return document(
        allow("WhatAnyJobMayAtMost", AT_MOST, "*"),
        allow("SecretsUnderACustomersKey", ["kms:Decrypt"], "*", VIA_SECRETS),
        allow("ObjectsUnderACustomersKey", ["kms:Decrypt", "kms:GenerateDataKey"], "*", VIA_S3),
    )


MANAGED = {"StringEquals": {"aws:ResourceTag/accelctl:managed": "accelctl"}}
LOOKS = (
    "cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "ec2:DescribeAddresses",
    "ec2:DescribeEgressOnlyInternetGateways", "ec2:DescribeFleets", "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes", "ec2:DescribeInstanceStatus", "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeLaunchTemplates", "ec2:DescribeNatGateways", "ec2:DescribeNetworkInterfaces",
    "ec2:DescribePlacementGroups", "ec2:DescribeRegions", "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups", "ec2:DescribeSpotInstanceRequests", "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVolumes", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
    "ec2:GetConsoleOutput", "iam:GetPolicy", "iam:ListInstanceProfiles", "iam:ListRoles", "scheduler:GetSchedule",
    "scheduler:ListSchedules", "scheduler:ListTagsForResource", "ssm:DescribeSessions",
    "sts:GetCallerIdentity",
)  # fmt: skip
LOGS = "arn:aws:logs:*:*:log-group:/aws/lambda/accelctl-*"
ENDS = (
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "ec2:CancelSpotInstanceRequests", "ec2:CreateTags", "ec2:DeleteFleets", "ec2:DeleteLaunchTemplate",
    "ec2:DeleteNetworkInterface", "ec2:DeleteTags", "ec2:DeleteVolume", "ec2:StopInstances", "ec2:TerminateInstances",
)  # fmt: skip
MARKS = ("ec2:CreateTags", "ec2:DeleteTags")
OTHERS = "arn:aws:ec2:*:*:instance/*"
THE_MARK_ALONE = {"ForAllValues:StringEquals": {"aws:TagKeys": ["accelctl:reap"]}, "Null": {"aws:TagKeys": "false"}}
"""Every key that the call names is the mark's, and it names one: without any, DeleteTags removes all."""
JOB_PROFILES = (
    "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:DeleteRole",
    "iam:DeleteRolePolicy", "iam:GetInstanceProfile", "iam:PassRole", "iam:RemoveRoleFromInstanceProfile",
    "iam:TagInstanceProfile", "iam:TagRole",
)  # fmt: skip


def may_reap(*, account: str, bucket: str, topic: str = "", everybodys: bool = False) -> str:
    """What a round does: looks everywhere, ends and relabels what is ours, and carries jobs on.

    A job's role is made only on our path and under the boundary, so that no round can give away more than it has.
    With `everybodys` it marks others' machines too, and nothing else; a `topic` is what tells owners.
    """
    ours = [f"arn:aws:iam::{account}:{kind}/accelctl/jobs/*" for kind in ("role", "instance-profile")]
    # Of what is gone already IAM knows no path, and it says that it is gone only to those who may ask.
    gone = [f"arn:aws:iam::{account}:{kind}/accelctl-20*" for kind in ("role", "instance-profile")]
    boundary = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn(account)}}
    marked = {"StringEquals": {"aws:RequestTag/accelctl:managed": "accelctl"}}
    made = [f"arn:aws:ec2:*:*:{kind}/*" for kind in ("fleet", "instance", "network-interface", "spot-instances-request",
                                                     "volume", "launch-template")]  # fmt: skip
    used = [f"arn:aws:ec2:*:*:{kind}/*" for kind in ("image", "launch-template", "security-group", "subnet",
                                                     "placement-group")]  # fmt: skip
    store = f"arn:aws:s3:::{bucket}"
    more = [*([allow("MarkOthers", MARKS, OTHERS, THE_MARK_ALONE)] if everybodys else []),
            *([allow("TellOwners", ["sns:Publish"], topic)] if topic else [])]  # fmt: skip
    return document(
        allow("Look", LOOKS, "*"),
        allow("FindImages", ["ssm:GetParameters"], "arn:aws:ssm:*:*:parameter/aws/service/*"),
        allow("EndWhatIsOurs", ENDS, "*", MANAGED),
        allow("Buy", ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"], made, marked),
        allow("BuyWith", ["ec2:RunInstances", "ec2:CreateFleet"], used),
        allow("LabelWhatIsBought", ["ec2:CreateTags"], made, {"StringEquals": {
            "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]}}),
        allow("MakeJobRoles", ["iam:CreateRole", "iam:PutRolePolicy"], ours, boundary),
        allow("UseJobRoles", JOB_PROFILES, ours + gone),
        allow("Store", ["s3:GetObject", "s3:PutObject"], f"{store}/*"),
        allow("CloseJobs", ["s3:DeleteObject"], f"{store}/open/*"),
        allow("List", ["s3:ListBucket"], store),
        allow("Tell", ["cloudwatch:PutMetricData"], "*", {"StringEquals": {"cloudwatch:namespace": "accelctl/reaper"}}),
        allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], LOGS),
        *more,
    )  # fmt: skip


def may_keep(queue: str) -> str:
    """Puts what failed into that queue, and does nothing else."""
    return document(allow("KeepFailures", ["sqs:SendMessage"], queue))


def allow(
    name: str, actions: Sequence[str], resource: str | list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    plain = {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return plain | ({"Condition": condition} if condition else {})
