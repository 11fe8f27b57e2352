"""Bucket policies: moto ignores their conditions, so that a policy of TLS only would shut its own owner out."""

import json
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from provisioner.sandbox.launches import wrap


def install() -> None:
    wrap(FakeBucket, "get_permission", permission)


def permission(original: Any, bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """As moto judges it, without the statements on transport: loopback counts as encrypted."""
    if not bucket.policy:
        return original(bucket, action, resource)
    document = json.loads(bucket.policy)
    document["Statement"] = [rule for rule in document["Statement"] if not on_transport(rule)]
    if not document["Statement"]:
        return PermissionResult.NEUTRAL
    held, bucket.policy = bucket.policy, json.dumps(document).encode()
    try:
        return original(bucket, action, resource)
    finally:
        bucket.policy = held


def on_transport(rule: dict[str, Any]) -> bool:
    return "aws:SecureTransport" in rule.get("Condition", {}).get("Bool", {})
