"""Settings of the store's bucket that belong to its user as well: ours are put among theirs, which stay."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Held = TypeVar("Held")


def put_labels(s3: "S3Client", bucket: str, labels: Mapping[str, str]) -> None:
    """By key. Those of AWS's own stay by themselves, and may not be sent."""
    found = tags.read(unless("NoSuchTagSet", lambda: s3.get_bucket_tagging(Bucket=bucket)["TagSet"], []))
    held = {key: value for key, value in found.items() if not key.startswith("aws:")}
    wanted = {**held, **labels}
    if wanted != held:
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags.written(wanted)})


def put_lifecycle(s3: "S3Client", bucket: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """By the rules' IDs."""
    read: Callable[..., Any] = partial(s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    nothing: Any = {"Rules": []}
    found: Any = unless("NoSuchLifecycleConfiguration", read, nothing)
    held: list[Any] = found["Rules"]
    if all(rule in held for rule in rules):
        return
    wanted: Any = {"Rules": [*map(with_filter, without(held, "ID", rules)), *rules]}
    size = found.get("TransitionDefaultMinimumObjectSize")
    more: Any = {"TransitionDefaultMinimumObjectSize": size} if size else {}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=wanted, **more)


def put_policy(s3: "S3Client", bucket: str, policy: Mapping[str, Any]) -> None:
    """By the statements' Sids."""
    text = unless("NoSuchBucketPolicy", lambda: s3.get_bucket_policy(Bucket=bucket)["Policy"], "")
    held: dict[str, Any] = json.loads(text) if text else {**policy, "Statement": []}
    statements: list[Any] = [held["Statement"]] if isinstance(held["Statement"], dict) else held["Statement"]
    if all(statement in statements for statement in policy["Statement"]):
        return
    merged = [*without(statements, "Sid", policy["Statement"]), *policy["Statement"]]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({**held, "Statement": merged}))


def put_encryption(s3: "S3Client", bucket: str, encryption: Mapping[str, Any]) -> None:
    """Where there is none: a key of the user's own stays the key."""
    missing = "ServerSideEncryptionConfigurationNotFoundError"
    if not unless(missing, lambda: s3.get_bucket_encryption(Bucket=bucket), None):
        wanted: Any = encryption
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=wanted)


def without(held: Sequence[Any], key: str, ours: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Those that are not to be replaced by one of ours."""
    names = {one[key] for one in ours}
    return [one for one in held if one.get(key) not in names]


def with_filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    """S3 does not take a rule with the older prefix beside rules with filters."""
    if "Filter" in rule or "Prefix" not in rule:
        return dict(rule)
    return {key: value for key, value in rule.items() if key != "Prefix"} | {"Filter": {"Prefix": rule["Prefix"]}}


def unless(code: str, read: Callable[[], Held], otherwise: Held) -> Held:
    """What is read, or the other where S3 says by that code that there is nothing."""
    try:
        return read()
    except ClientError as error:
        if code_of(error) != code:
            raise
        return otherwise
