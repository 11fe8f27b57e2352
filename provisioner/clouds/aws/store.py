"""The bucket of the job store: private, encrypted, TLS only; and which regions are prepared."""

import json
from collections.abc import Sequence

from provisioner.catalog import labels
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import JobStore, Prepared
from provisioner.errors import ConfigError

MARKERS = "setup/aws/"
UNFINISHED_AFTER_DAYS = 7


class BucketStore:
    """One bucket for the account; its region is the home of every job record."""

    def __init__(self, sessions: Sessions, name: str = "") -> None:
        self._sessions = sessions
        self._chosen = name.removeprefix("s3://")
        self._found: JobStore | None = None

    @property
    def bucket(self) -> str:
        return self._chosen or f"accelctl-{self._sessions.caller.account}"

    def find(self) -> JobStore | None:
        """None before the first setup. Raises ConfigError where the bucket is somebody else's."""
        from botocore.exceptions import ClientError

        if self._found is None:
            try:
                answer = self._sessions.s3().head_bucket(
                    Bucket=self.bucket, ExpectedBucketOwner=self._sessions.caller.account
                )
            except ClientError as error:
                return self._absent(error)
            region = answer.get("BucketRegion") or self._located()
            self._found = JobStore(url=f"s3://{self.bucket}", region=region)
        return self._found

    def _absent(self, error: Exception) -> None:
        from botocore.exceptions import ClientError

        assert isinstance(error, ClientError)  # noqa: S101 - find caught it
        if code_of(error) in ("404", "NoSuchBucket"):
            return
        if code_of(error) in ("403", "AccessDenied"):
            raise ConfigError(
                f"store: the bucket {self.bucket} is not yours, or these credentials may not see it.",
                hint="name another one with the setting 'store'.",
            ) from error
        with translated("s3:ListBucket"):
            raise error

    def _located(self) -> str:
        with translated("s3:GetBucketLocation"):
            return self._sessions.s3().get_bucket_location(Bucket=self.bucket)["LocationConstraint"] or "us-east-1"

    def make(self, region: str) -> Prepared:
        """Idempotent; what an earlier setup left undone is done."""
        found = self.find()
        home = found.region if found else region
        s3 = self._sessions.s3(home)
        with translated("s3:CreateBucket"):
            if found is None and home == "us-east-1":
                s3.create_bucket(Bucket=self.bucket)
            elif found is None:
                s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": home})  # pyright: ignore[reportArgumentType] - any region
        self._harden(home)
        self._found = JobStore(url=f"s3://{self.bucket}", region=home)
        return Prepared(kind="bucket", id=self.bucket, region=home, made=found is None)

    def _harden(self, region: str) -> None:
        s3, bucket = self._sessions.s3(region), self.bucket
        closed = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        encrypted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
        unfinished = {"ID": "unfinished", "Status": "Enabled", "Filter": {"Prefix": ""},
                      "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_AFTER_DAYS}}  # fmt: skip
        with translated("s3:PutBucketPolicy"):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags.written(labels.ours(kind="store"))})
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)  # pyright: ignore[reportArgumentType]
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encrypted)  # pyright: ignore[reportArgumentType]
            s3.put_bucket_ownership_controls(
                Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
            )
            s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [unfinished]})  # pyright: ignore[reportArgumentType]
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(tls_only(bucket)))

    def mark(self, region: str) -> None:
        """Writes that a region is prepared."""
        with translated("s3:PutObject"):
            self._sessions.s3(self._home).put_object(Bucket=self.bucket, Key=f"{MARKERS}{region}.json", Body=b"{}")

    def unmark(self, region: str) -> None:
        with translated("s3:DeleteObject"):
            self._sessions.s3(self._home).delete_object(Bucket=self.bucket, Key=f"{MARKERS}{region}.json")

    def prepared_regions(self) -> Sequence[str]:
        if self.find() is None:
            return ()
        with translated("s3:ListBucket"):
            pages = (
                self._sessions.s3(self._home)
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self.bucket, Prefix=MARKERS)
            )
            keys = [held["Key"] for page in pages for held in page.get("Contents", [])]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        return tuple(key.removeprefix(MARKERS).removesuffix(".json") for key in keys)

    @property
    def _home(self) -> str:
        found = self.find()
        return found.region if found else self._sessions.region


def tls_only(bucket: str) -> dict[str, object]:
    """Nobody reads or writes in the clear."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }  # fmt: skip
