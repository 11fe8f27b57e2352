"""Buckets under a key of the customer's own (SSE-KMS): a job reads and writes them by what it was granted."""

import secrets
from typing import Any

import pytest

from provisioner.clouds.aws.identity import policy
from provisioner.clouds.base import IdentityRequest
from provisioner.domain.jobs import Grant
from tests.sandbox.world import assumed, aws, refused

pytestmark = pytest.mark.usefixtures("sandbox")
ALLOWED, DENIED = ("", 200), ("AccessDenied", 403)


def encrypted_bucket() -> str:
    """With a key of its own as the default, and one object."""
    s3, name = aws("s3"), f"keyed-{secrets.token_hex(4)}"
    key = aws("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.create_bucket(Bucket=name)
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    s3.put_object(Bucket=name, Key="set/a", Body=b"1")
    s3.put_object(Bucket=name, Key="jobs/j1/task.json", Body=b"1")
    return name


def as_job(store: str, *access: Grant) -> Any:
    wanted = IdentityRequest(name="n", job="j1", labels={}, store=f"s3://{store}", read=(), access=access)
    return assumed(policy(wanted, "123456789012")["Statement"], "s3")


def test_a_grant_holds_under_the_customers_key() -> None:
    """Read means decrypt; :rw means new data keys too, and uploads in parts."""
    store, data = encrypted_bucket(), encrypted_bucket()
    reads = as_job(store, Grant(bucket=data, prefix="set", write=False))
    writes = as_job(store, Grant(bucket=data, prefix="set", write=True))

    assert refused(lambda: reads.get_object(Bucket=data, Key="set/a")) == ALLOWED
    assert refused(lambda: reads.put_object(Bucket=data, Key="set/b", Body=b"1")) == DENIED
    assert refused(lambda: writes.put_object(Bucket=data, Key="set/b", Body=b"1")) == ALLOWED
    assert refused(lambda: writes.create_multipart_upload(Bucket=data, Key="set/c")) == ALLOWED


def test_the_store_may_be_under_the_customers_key() -> None:
    """The job's own prefix is read and written."""
    store = encrypted_bucket()
    job = as_job(store)

    assert refused(lambda: job.get_object(Bucket=store, Key="jobs/j1/task.json")) == ALLOWED
    assert refused(lambda: job.put_object(Bucket=store, Key="jobs/j1/attempts/1/a", Body=b"1")) == ALLOWED


def test_without_the_key_the_object_is_refused() -> None:
    """What may be read in S3 alone stays closed."""
    data = encrypted_bucket()
    s3 = assumed([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}], "s3")

    assert refused(lambda: s3.get_object(Bucket=data, Key="set/a")) == DENIED
    assert refused(lambda: s3.put_object(Bucket=data, Key="set/b", Body=b"1")) == DENIED
