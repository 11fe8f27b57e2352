"""The bucket of the job store: private, encrypted, TLS only; and which regions are prepared."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from provisioner.catalog import labels
from provisioner.catalog.foundation import (
    CLOSED,
    ENCRYPTION,
    HEARTBEATS,
    HEARTBEATS_DAYS,
    MARKED,
    MARKERS,
    OWNERSHIP,
    PREPARED,
    PREPARING,
    STORE,
    UNFINISHED_AFTER_DAYS,
    bucket_name,
    tls_only,
)
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.bucket_settings import put_encryption, put_labels, put_lifecycle, put_policy
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import JobStore, Prepared
from provisioner.errors import ConfigError


class BucketStore:
    """One bucket for the account; its region is the home of every job record."""

    def __init__(self, sessions: Sessions, name: str = "") -> None:
        self._sessions = sessions
        self._chosen = name.removeprefix("s3://")
        self._found: JobStore | None = None

    @property
    def bucket(self) -> str:
        return self._chosen or bucket_name(self._sessions.caller.account)

    def find(self) -> JobStore | None:
        """None before the first setup. Raises ConfigError where the bucket is somebody else's."""
        if self._found is None:
            account, s3 = self._sessions.caller.account, self._sessions.s3()
            with translated("s3:ListBucket"):
                try:
                    answer = s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=account)
                except ClientError as error:
                    if code_of(error) in ("404", "NoSuchBucket"):
                        return None
                    if code_of(error) in ("403", "AccessDenied"):
                        raise self._foreign() from error
                    raise
            self._found = JobStore(url=f"s3://{self.bucket}", region=answer.get("BucketRegion") or self._located())
        return self._found

    def _foreign(self) -> ConfigError:
        return ConfigError(
            f"store: the bucket {self.bucket} is not yours, or these credentials may not see it.",
            hint="name another one with the setting 'store'.",
        )

    @property
    def ours(self) -> bool:
        """We made it: one that the user brought, or that a stack owns, is used as it is, never changed or removed."""
        held = self._labels()
        if held is None or labels.STACK in held:
            return False
        return not self._chosen or labels.ours().items() <= held.items()

    @property
    def stack(self) -> str:
        """The stack that owns it; empty where none does."""
        return (self._labels() or {}).get(labels.STACK, "") if self.find() else ""

    def _labels(self) -> dict[str, str] | None:
        """None where there is no such bucket."""
        with translated("s3:GetBucketTagging"):
            try:
                return tags.read(self._sessions.s3(self._home).get_bucket_tagging(Bucket=self.bucket)["TagSet"])
            except ClientError as error:
                if code_of(error) == "NoSuchBucket":
                    return None
                if code_of(error) != "NoSuchTagSet":
                    raise
                return {}

    def _located(self) -> str:
        with translated("s3:GetBucketLocation"):
            return self._sessions.s3().get_bucket_location(Bucket=self.bucket)["LocationConstraint"] or "us-east-1"

    def make(self, region: str) -> Prepared:
        """Idempotent; what an earlier setup left undone is done."""
        found = self.find()
        if found is None:
            self._create(region)
            found = self._found = JobStore(url=f"s3://{self.bucket}", region=region)
            self._harden(region)
            return Prepared(kind="bucket", id=self.bucket, region=region, made=True)
        if self.ours:
            self._harden(found.region)
        return Prepared(kind="bucket", id=self.bucket, region=found.region, made=False, stack=self.stack)

    def _create(self, region: str) -> None:
        place: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with translated("s3:CreateBucket"):
            try:
                self._sessions.s3(region).create_bucket(Bucket=self.bucket, **place)
            except ClientError as error:
                if code_of(error) == "BucketAlreadyExists":
                    raise self._foreign() from error
                if code_of(error) != "BucketAlreadyOwnedByYou":
                    raise

    def _harden(self, region: str) -> None:
        s3, bucket = self._sessions.s3(region), self.bucket
        closed = dict.fromkeys(CLOSED, True)
        encrypted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": ENCRYPTION}}]}
        unfinished: Any = {"ID": "unfinished", "Status": "Enabled", "Filter": {"Prefix": ""},
                      "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_AFTER_DAYS}}  # fmt: skip
        orphaned: Any = {"ID": "heartbeats", "Status": "Enabled", "Filter": {"Prefix": HEARTBEATS},
                    "Expiration": {"Days": HEARTBEATS_DAYS}}  # fmt: skip
        with translated("s3:PutBucketTagging"):
            put_labels(s3, bucket, labels.ours(kind=STORE))
        with translated("s3:PutBucketPublicAccessBlock"):
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)  # pyright: ignore[reportArgumentType]
        with translated("s3:PutEncryptionConfiguration"):
            put_encryption(s3, bucket, encrypted)
        with translated("s3:PutBucketOwnershipControls"):
            s3.put_bucket_ownership_controls(
                Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": OWNERSHIP}]}
            )
        with translated("s3:PutLifecycleConfiguration"):
            put_lifecycle(s3, bucket, [unfinished, orphaned])
        with translated("s3:PutBucketPolicy"):
            put_policy(s3, bucket, tls_only(bucket))

    def preparing(self, region: str) -> None:
        """Writes that a setup of the region has begun."""
        self._write(f"{region}{PREPARING}")

    def mark(self, region: str) -> None:
        """Writes that a region is prepared."""
        self._write(f"{region}{PREPARED}")

    def unmark(self, region: str) -> None:
        with translated("s3:DeleteObject"):
            for suffix in (PREPARED, PREPARING):
                self._sessions.s3(self._home).delete_object(Bucket=self.bucket, Key=f"{MARKERS}{region}{suffix}")

    def _write(self, name: str) -> None:
        with translated("s3:PutObject"):
            self._sessions.s3(self._home).put_object(Bucket=self.bucket, Key=f"{MARKERS}{name}", Body=MARKED.encode())

    def prepared_regions(self) -> Sequence[str]:
        return [name.removesuffix(PREPARED) for name in self._marks() if name.endswith(PREPARED)]

    def marked_regions(self) -> Sequence[str]:
        """Those that a setup was begun in, finished or not."""
        return sorted({name.rsplit(".", 1)[0] for name in self._marks()})

    def _marks(self) -> list[str]:
        if self.find() is None:
            return []
        s3 = self._sessions.s3(self._home)
        with translated("s3:ListBucket"):
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=MARKERS)
            return [held["Key"].removeprefix(MARKERS) for page in pages for held in page.get("Contents", [])]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def remove(self) -> None:
        """The bucket with everything in it, old versions too. Nothing where it is not ours."""
        if self.find() is None or not self.ours:
            return
        s3 = self._sessions.s3(self._home)
        with translated("s3:DeleteBucket"):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
                held = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                doomed: list[Any] = [{"Key": one.get("Key"), "VersionId": one.get("VersionId")} for one in held]
                if doomed:
                    s3.delete_objects(Bucket=self.bucket, Delete={"Objects": doomed})
            s3.delete_bucket(Bucket=self.bucket)
        self._found = None

    @property
    def _home(self) -> str:
        found = self.find()
        return found.region if found else self._sessions.region
