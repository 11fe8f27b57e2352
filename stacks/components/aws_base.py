"""What jobs need once, as `accelctl setup` makes it: the job store, the boundary of their roles, a region's network."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.foundation import (
    BOUNDARY,
    BOUNDARY_KIND,
    CLOSED,
    ENCRYPTION,
    HEARTBEATS,
    HEARTBEATS_DAYS,
    MARKED,
    OWNERSHIP,
    PATH,
    STORE,
    UNFINISHED_AFTER_DAYS,
    bucket_name,
    marker,
    tls_only,
)
from provisioner.catalog.policies import at_most
from stacks.components import aws_existing as existing
from stacks.components.adoption import Adoption
from stacks.components.aws_base_network import BaseNetwork
from stacks.components.aws_machine import marks_of


class AwsBase(pulumi.ComponentResource):
    """One account's store and boundary, and one region's network. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:Base", name, None, None)
        self._name, self._config = name, config
        self._adoption = Adoption(self, adopt=config["adopt"] == "true")
        self._marks = marks_of(config)
        account, self._region = aws.get_caller_identity().account_id, aws.get_region().region
        whole = config["parts"] == "all"
        limit = existing.boundary(account) if whole else None
        there = existing.Network(self._region)
        self.bucket: str = config["bucket"] or bucket_name(account)
        self._home = self._place(whole=whole)
        store = self._store() if whole else []
        self.boundary = self._limit(limit) if whole else None
        self.network = BaseNetwork(name, there, way=config["way"], marks=self._marks, adoption=self._adoption)
        self._mark([*store, *self.network.made])
        self.register_outputs({})

    def _place(self, *, whole: bool) -> str | None:
        """The region of the store that is there. Raises RunError where the stack could not use it."""
        home = existing.home(self.bucket)
        if home is None and not whole:
            raise pulumi.RunError(
                f"accelctl:parts is 'network', and the bucket {self.bucket} is not there.\n"
                "hint: the first region's stack, or 'accelctl setup', makes it."
            )
        if whole and home not in (None, self._region):
            raise pulumi.RunError(
                f"the bucket {self.bucket} is in {home}, and this stack in {self._region}.\n"
                "hint: 'pulumi config set parts network' makes this region's network alone."
            )
        return home

    def _store(self) -> list[pulumi.Resource]:
        """Private, encrypted, TLS only. It stays at a destroy, with what is in it, unless `withData` says otherwise."""
        bucket, takes = self.bucket, self._config["withData"] == "true"
        found = bucket if self._home else None

        def opts(what: str, *ignore: str) -> pulumi.ResourceOptions:
            return self._adoption.options(what, found, ignore=ignore, retain_on_delete=not takes)

        made = aws.s3.Bucket(
            self._name, bucket=bucket, force_destroy=takes, tags=self._marks | {labels.KIND: STORE},
            opts=opts("bucket", "tags", "forceDestroy"),
        )  # fmt: skip
        closed: dict[str, Any] = {snake(name): True for name in CLOSED}
        rule = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm=ENCRYPTION
        )
        encrypted = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(apply_server_side_encryption_by_default=rule)
        owned = aws.s3.BucketOwnershipControlsRuleArgs(object_ownership=OWNERSHIP)
        return [
            made,
            aws.s3.BucketPublicAccessBlock(self._name, bucket=made.id, **closed, opts=opts("public access block of")),
            aws.s3.BucketServerSideEncryptionConfiguration(
                self._name, bucket=made.id, rules=[encrypted], opts=opts("encryption of")
            ),
            aws.s3.BucketOwnershipControls(self._name, bucket=made.id, rule=owned, opts=opts("ownership of")),
            aws.s3.BucketLifecycleConfiguration(
                self._name, bucket=made.id, rules=lifecycle(), opts=opts("lifecycle of")
            ),
            aws.s3.BucketPolicy(
                self._name, bucket=made.id, policy=json.dumps(tls_only(bucket)), opts=opts("policy of")
            ),
        ]

    def _limit(self, found: str | None) -> pulumi.Output[str]:
        return aws.iam.Policy(
            self._name, name=BOUNDARY, path=PATH, policy=at_most(), tags=self._marks | {labels.KIND: BOUNDARY_KIND},
            opts=self._adoption.options("boundary", found),
        ).arn  # fmt: skip

    def _mark(self, after: list[pulumi.Resource]) -> None:
        """Tells `accelctl` that the region is prepared, once it is; gone before anything else goes."""
        aws.s3.BucketObjectv2(
            self._name, bucket=self.bucket, key=marker(self._region), content=MARKED, region=self._home or self._region,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )  # fmt: skip

    def export(self) -> None:
        """What a person uses."""
        pulumi.export("store", f"s3://{self.bucket}")
        pulumi.export("region", self._region)
        if self.boundary is not None:
            pulumi.export("boundary", self.boundary)
        pulumi.export("vpc", self.network.vpc_id)
        pulumi.export("subnets", self.network.subnet_ids)
        pulumi.export("security_group", self.network.group_id)


def lifecycle() -> list[aws.s3.BucketLifecycleConfigurationRuleArgs]:
    """What was never finished, and signs of life, go by themselves."""
    rule, narrowed = aws.s3.BucketLifecycleConfigurationRuleArgs, aws.s3.BucketLifecycleConfigurationRuleFilterArgs
    unfinished = aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
        days_after_initiation=UNFINISHED_AFTER_DAYS
    )
    expired = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=HEARTBEATS_DAYS)
    return [
        rule(
            id="unfinished", status="Enabled", filter=narrowed(prefix=""), abort_incomplete_multipart_upload=unfinished
        ),
        rule(id="heartbeats", status="Enabled", filter=narrowed(prefix=HEARTBEATS), expiration=expired),
    ]


def snake(name: str) -> str:
    """BlockPublicAcls -> block_public_acls."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")
