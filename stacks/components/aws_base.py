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
from stacks.components.adoption import KEY, Adoption
from stacks.components.aws_base_network import WAYS, BaseNetwork
from stacks.components.aws_machine import marks_of
from stacks.settings import Key, label, one_of, text

KEYS = (
    Key(name="bucket", parse=text, default="", help="the job store; accelctl-<account> by default"),
    Key(name="parts", parse=one_of("all", "network"), default="all", help="network for a region after the first"),
    Key(name="way", parse=one_of(*WAYS), default=WAYS[0], help="how machines reach what is not in the region's store"),
    KEY,
    Key(name="withData", parse=one_of("true", "false"), default="false", help="whether destroy takes the job store"),
    Key(name="owner", parse=text, default="", help="label; the caller's name by default"),
    Key(name="team", parse=label, default="unassigned", help="label"),
    Key(name="costCenter", parse=label, default="unassigned", help="label"),
)


class AwsBase(pulumi.ComponentResource):
    """One account's store and boundary, and one region's network. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:aws:Base", name, None, None)
        self._name, self._config = name, config
        self._adoption = Adoption(self, adopt=config["adopt"] == "true")
        self._marks = marks_of(config)
        account, self._region = aws.get_caller_identity().account_id, aws.get_region().region
        self.bucket: pulumi.Input[str] = config["bucket"] or bucket_name(account)
        self._boundary = ""
        store: list[pulumi.Resource] = []
        if config["parts"] == "all":
            store = self._store(str(self.bucket))
            self._limit(account)
        self.network = BaseNetwork(
            name, region=self._region, way=config["way"], marks=self._marks, adoption=self._adoption
        )
        self._mark([*store, *self.network.made])
        self.register_outputs({})

    def _store(self, bucket: str) -> list[pulumi.Resource]:
        """Private, encrypted, TLS only. It stays at a destroy, with what is in it, unless `withData` says otherwise."""
        found, takes = existing.bucket(bucket), self._config["withData"] == "true"

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

    def _limit(self, account: str) -> None:
        made = aws.iam.Policy(
            self._name, name=BOUNDARY, path=PATH, policy=at_most(), tags=self._marks | {labels.KIND: BOUNDARY_KIND},
            opts=self._adoption.options("boundary", existing.boundary(account)),
        )  # fmt: skip
        pulumi.export("boundary", made.arn)

    def _mark(self, after: list[pulumi.Resource]) -> None:
        """Tells `accelctl` that the region is prepared, once it is; gone before anything else goes."""
        aws.s3.BucketObjectv2(
            self._name, bucket=self.bucket, key=marker(self._region), content=MARKED,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )  # fmt: skip

    def export(self) -> None:
        """What a person uses."""
        pulumi.export("store", f"s3://{self.bucket}")
        pulumi.export("region", self._region)
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
