"""S3's resource types, as pulumi-aws names and shapes them: a bucket, and its settings, each a type of its own."""

import json
from collections.abc import Callable
from typing import Any

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tags_of, untagged, without_error
from provisioner.sandbox.pulumi.wire import given, pascal

UNSET = ("NoSuchPublicAccessBlockConfiguration", "ServerSideEncryptionConfigurationNotFoundError",
         "OwnershipControlsNotFoundError", "NoSuchLifecycleConfiguration", "NoSuchBucketPolicy")  # fmt: skip


def create_bucket(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    s3, name = clients("s3"), inputs["bucket"]
    home = s3.meta.region_name
    place = {} if home == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": home}}
    s3.create_bucket(Bucket=name, **place)
    retag(clients, name, {}, inputs)
    return name, read_bucket(clients, name, inputs) or {}


def retag(clients: Clients, name: str, _: Inputs, inputs: Inputs) -> None:
    clients("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags_of(inputs)})


def read_bucket(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    if gone(lambda: clients("s3").head_bucket(Bucket=name)) is None:
        return None
    tags = untagged(clients("s3").get_bucket_tagging(Bucket=name)["TagSet"])
    return {"arn": f"arn:aws:s3:::{name}", "tags": tags, "tagsAll": tags}


def imported_bucket(clients: Clients, name: str) -> Inputs:
    return {"bucket": name, "forceDestroy": False, "tags": (read_bucket(clients, name, {}) or {}).get("tags", {})}


def delete_bucket(clients: Clients, name: str, state: Inputs) -> None:
    s3 = clients("s3")
    if state.get("forceDestroy"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
    without_error(lambda: s3.delete_bucket(Bucket=name))


def setting(
    name: str, put: Callable[[Inputs], dict[str, Any]], show: Callable[[dict[str, Any]], Inputs], *, forget: str = ""
) -> Kind:
    """One of a bucket's settings, with the bucket's name as its id: put_NAME, get_NAME, delete_NAME."""

    def write(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
        getattr(clients("s3"), f"put_{name}")(Bucket=inputs["bucket"], **put(inputs))
        return inputs["bucket"], {}

    def imported(clients: Clients, bucket: str) -> Inputs | None:
        found = gone(lambda: getattr(clients("s3"), f"get_{name}")(Bucket=bucket), *UNSET)
        return {"bucket": bucket} | show(found) if found else None

    def update(clients: Clients, _: str, old: Inputs, new: Inputs) -> None:
        write(clients, new)

    def delete(clients: Clients, bucket: str, _: Inputs) -> None:
        gone(lambda: getattr(clients("s3"), f"delete_{forget or name}")(Bucket=bucket), *UNSET)

    return Kind(
        create=write, read=lambda clients, bucket, _: imported(clients, bucket), delete=delete, update=update,
        replaces=("bucket",), computed=(), required=("bucket",), imported=imported, drifts=(),
    )  # fmt: skip


def camel(value: Any) -> Any:
    """BlockPublicAcls -> blockPublicAcls, at every depth."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: camel(one) for name, one in value.items()}
    return [camel(one) for one in value] if isinstance(value, list) else value


def rules_put(inputs: Inputs) -> dict[str, Any]:
    rules = [
        {"ID" if name == "id" else pascal({name: 0}).popitem()[0]: pascal(value) for name, value in rule.items()}
        for rule in inputs["rules"]
    ]
    return {"LifecycleConfiguration": {"Rules": rules}}


def rules_shown(found: dict[str, Any]) -> Inputs:
    rules = [{"id" if name == "ID" else name: value for name, value in rule.items()} for rule in found["Rules"]]
    return {"rules": camel(rules)}


def encryption_put(inputs: Inputs) -> dict[str, Any]:
    rules = [
        {"ApplyServerSideEncryptionByDefault": given({
            "SSEAlgorithm": rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"],
            "KMSMasterKeyID": rule["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId"),
        })}
        for rule in inputs["rules"]
    ]  # fmt: skip
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def encryption_shown(found: dict[str, Any]) -> Inputs:
    rules = found["ServerSideEncryptionConfiguration"]["Rules"]
    said = [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules]
    return {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": one}} for one in said]}


def put_object(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    """A new object takes the place of what is there under its key."""
    clients("s3").put_object(Bucket=inputs["bucket"], Key=inputs["key"], Body=inputs.get("content", "").encode())
    return f"{inputs['bucket']}/{inputs['key']}", {}


def read_object(clients: Clients, id: str, _: Inputs) -> Inputs | None:
    bucket, _, key = id.partition("/")
    return {} if gone(lambda: clients("s3").head_object(Bucket=bucket, Key=key)) else None


def delete_object(clients: Clients, id: str, _: Inputs) -> None:
    bucket, _, key = id.partition("/")
    without_error(lambda: clients("s3").delete_object(Bucket=bucket, Key=key))


KINDS: dict[str, Kind] = {
    "aws:s3/bucket:Bucket": Kind(
        create=create_bucket, read=read_bucket, delete=delete_bucket, update=retag, replaces=("bucket",),
        autoname="bucket", imported=imported_bucket,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": setting(
        "public_access_block",
        lambda inputs: {"PublicAccessBlockConfiguration": pascal({k: v for k, v in inputs.items() if k != "bucket"})},
        lambda found: camel(found["PublicAccessBlockConfiguration"]),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": setting(
        "bucket_encryption", encryption_put, encryption_shown
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": setting(
        "bucket_ownership_controls", lambda inputs: {"OwnershipControls": {"Rules": [pascal(inputs["rule"])]}},
        lambda found: {"rule": camel(found["OwnershipControls"]["Rules"][0])},
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": setting(
        "bucket_lifecycle_configuration", rules_put, rules_shown, forget="bucket_lifecycle"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": setting(
        "bucket_policy", lambda inputs: {"Policy": inputs["policy"]},
        lambda found: {"policy": json.dumps(json.loads(found["Policy"]))},
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Kind(
        create=put_object, read=read_object, delete=delete_object, required=("bucket", "key"), computed=(),
    ),
}  # fmt: skip
