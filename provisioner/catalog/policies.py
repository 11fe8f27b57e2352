"""Documents of roles: what each may do, and nothing else. Data for clouds and stacks alike."""

import json
from typing import Any

VERSION = "2012-10-17"


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
