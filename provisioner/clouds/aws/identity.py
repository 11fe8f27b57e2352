"""Identities: a role and a profile per job, on our path, under a boundary that setup makes."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from provisioner.catalog import labels
from provisioner.catalog.foundation import BOUNDARY, BOUNDARY_KIND, JOBS, PATH, boundary_arn
from provisioner.catalog.policies import VIA_SECRETS, at_most, trust
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import IdentityRequest, Prepared
from provisioner.domain.jobs import Grant
from provisioner.errors import CloudError, CloudUnavailable

POLICY = "job"
MISSING = "NoSuchEntity"
THERE = "EntityAlreadyExists"
MOST_VERSIONS = 5
"""Of one policy, by IAM's quotas."""


class Identities:
    """Roles of jobs. Every call may be repeated."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    @property
    def boundary_arn(self) -> str:
        return boundary_arn(self._sessions.caller.account)

    def prepare(self) -> Prepared:
        made = self._unless(THERE, "iam:CreatePolicy", lambda: self._sessions.iam.create_policy(
            PolicyName=BOUNDARY, Path=PATH, PolicyDocument=at_most(),
            Tags=tags.written(labels.ours(kind=BOUNDARY_KIND)),
        ))  # fmt: skip
        stack = "" if made else (self.boundary() or {}).get(labels.STACK, "")
        updated = not made and not stack and self._update()
        return Prepared(kind="boundary", id=BOUNDARY, region="", made=made, updated=updated, stack=stack)

    def _update(self) -> bool:
        """Whether the boundary was as another version of accelctl has it. It becomes this one's for every job."""
        iam, arn = self._sessions.iam, self.boundary_arn
        with translated("iam:GetPolicyVersion"):
            current = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
            held = iam.get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]
        if held.get("Document") == json.loads(at_most()):
            return False
        if len(spare := self._spare_versions()) + 1 == MOST_VERSIONS:
            self._drop(spare[0])
        with translated("iam:CreatePolicyVersion"):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=at_most(), SetAsDefault=True)
        return True

    def _spare_versions(self) -> list[str]:
        """Of the boundary, beside the one that holds; oldest first."""
        with translated("iam:ListPolicyVersions"):
            held = self._sessions.iam.list_policy_versions(PolicyArn=self.boundary_arn)["Versions"]
        spare = [version for version in held if not version.get("IsDefaultVersion")]
        return sorted((version.get("VersionId", "") for version in spare), key=lambda name: int(name.removeprefix("v")))

    def _drop(self, version: str) -> None:
        self._unless(MISSING, "iam:DeletePolicyVersion", lambda: self._sessions.iam.delete_policy_version(
            PolicyArn=self.boundary_arn, VersionId=version
        ))  # fmt: skip

    def make(self, wanted: IdentityRequest) -> None:
        """Role, policy, profile, and the role in the profile. Raises CloudUnavailable where IAM lags behind itself."""
        with soon_known():
            self._make(wanted)

    def _make(self, wanted: IdentityRequest) -> None:
        iam, name, marks = self._sessions.iam, wanted.name, tags.written(wanted.labels)
        self._unless(THERE, "iam:CreateRole", lambda: iam.create_role(
            RoleName=name, Path=JOBS, AssumeRolePolicyDocument=trust("ec2.amazonaws.com"), Tags=marks,
            PermissionsBoundary=self.boundary_arn,
        ))  # fmt: skip
        with translated("iam:PutRolePolicy"):
            iam.put_role_policy(
                RoleName=name, PolicyName=POLICY, PolicyDocument=json.dumps(policy(wanted, self._account))
            )
        self._unless(THERE, "iam:CreateInstanceProfile", lambda: iam.create_instance_profile(
            InstanceProfileName=name, Path=JOBS, Tags=marks
        ))  # fmt: skip
        with translated("iam:GetInstanceProfile"):
            held = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
        if not held:
            self._unless("LimitExceeded", "iam:AddRoleToInstanceProfile", lambda: iam.add_role_to_instance_profile(
                InstanceProfileName=name, RoleName=name
            ))  # fmt: skip

    @property
    def _account(self) -> str:
        return self._sessions.caller.account

    def remove(self, name: str) -> None:
        """In the order that IAM asks for; what is gone is passed over."""
        iam = self._sessions.iam
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("RemoveRoleFromInstanceProfile",
             lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)),
            ("DeleteInstanceProfile", lambda: iam.delete_instance_profile(InstanceProfileName=name)),
            ("DeleteRolePolicy", lambda: iam.delete_role_policy(RoleName=name, PolicyName=POLICY)),
            ("DeleteRole", lambda: iam.delete_role(RoleName=name)),
        ]  # fmt: skip
        for action, call in steps:
            self._unless(MISSING, f"iam:{action}", call)

    def remove_boundary(self) -> None:
        """IAM deletes a policy only once its other versions are gone."""
        for version in self._spare_versions() if self.boundary() is not None else ():
            self._drop(version)
        self._unless(
            MISSING, "iam:DeletePolicy", lambda: self._sessions.iam.delete_policy(PolicyArn=self.boundary_arn)
        )  # fmt: skip

    def names(self) -> Iterator[str]:
        """Every role and profile on the jobs' path, half-made ones too; the path is looked at here as well."""
        with translated("iam:ListRoles"):
            roles = self._sessions.iam.get_paginator("list_roles").paginate(PathPrefix=JOBS)
            found = {role["RoleName"] for page in roles for role in page["Roles"] if role["Path"] == JOBS}
        with translated("iam:ListInstanceProfiles"):
            profiles = self._sessions.iam.get_paginator("list_instance_profiles").paginate(PathPrefix=JOBS)
            held = [profile for page in profiles for profile in page["InstanceProfiles"]]
        found |= {profile["InstanceProfileName"] for profile in held if profile["Path"] == JOBS}
        yield from sorted(found)

    def boundary(self) -> dict[str, str] | None:
        """Its labels; None where it is not there."""
        with translated("iam:GetPolicy"):
            try:
                return tags.read(self._sessions.iam.get_policy(PolicyArn=self.boundary_arn)["Policy"].get("Tags"))
            except ClientError as error:
                if code_of(error) != MISSING:
                    raise
                return None

    @staticmethod
    def _unless(code: str, action: str, call: Callable[[], Any]) -> bool:
        """False where the call is refused with that code: then it was done before."""
        with translated(action):
            try:
                call()
            except ClientError as error:
                if code_of(error) != code:
                    raise
                return False
            return True


@contextmanager
def soon_known() -> Generator[None]:
    """What IAM has just made (by `setup`, too) it may deny for some seconds. Raises CloudUnavailable."""
    try:
        yield
    except CloudError as refusal:
        if refusal.code != MISSING:
            raise
        raise CloudUnavailable(
            f"IAM does not know yet what the job's role needs: {refusal.message}", code=MISSING,
            hint="try again in a moment; where it stays so, 'accelctl setup' makes what is missing.",
        ) from refusal  # fmt: skip


def policy(wanted: IdentityRequest, account: str) -> dict[str, Any]:
    """What the job's machines may do: their own prefix, the named objects, grants and secrets; nothing else."""
    bucket = wanted.store.removeprefix("s3://")
    own = f"arn:aws:s3:::{bucket}/jobs/{wanted.job}"
    statements: list[dict[str, Any]] = [
        allow(["s3:GetObject"], [f"{own}/*", *(f"arn:aws:s3:::{bucket}/{key}" for key in wanted.read)]),
        allow(
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            [f"{own}/{part}/*" for part in ("attempts", "checkpoints", "blobs")],
        ),
        allow(["s3:DeleteObject"], [f"{own}/{part}/*" for part in ("checkpoints", "blobs")]),
        allow(["s3:PutObject", "s3:DeleteObject"], [f"arn:aws:s3:::{bucket}/heartbeats/*/{wanted.job}/*"]),
        listing(bucket, f"jobs/{wanted.job}/*"),
        allow(["cloudwatch:PutMetricData"], ["*"], {"StringEquals": {"cloudwatch:namespace": "accelctl"}}),
    ]
    for grant in wanted.access:
        statements += granted(grant)
    statements += keys_of_objects(
        read={bucket, *(grant.bucket for grant in wanted.access)},
        written={bucket, *(grant.bucket for grant in wanted.access if grant.write)},
    )
    statements += [secret(reference, account) for reference in wanted.secrets]
    if wanted.secrets:
        statements.append(allow(["kms:Decrypt"], [f"arn:aws:kms:*:{account}:key/*"], VIA_SECRETS))
    return {"Version": "2012-10-17", "Statement": statements}


def granted(grant: Grant) -> list[dict[str, Any]]:
    """What lies below the prefix, and unless it ends with a slash the object that has it for its name."""
    prefix = f"{grant.prefix.rstrip('/')}/*" if grant.prefix else "*"
    actions = ["s3:GetObject", *(["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] if grant.write else [])]
    keys = [grant.prefix, prefix] if grant.prefix and not grant.prefix.endswith("/") else [prefix]
    return [allow(actions, [f"arn:aws:s3:::{grant.bucket}/{key}" for key in keys]), listing(grant.bucket, prefix)]


def keys_of_objects(*, read: set[str], written: set[str]) -> list[dict[str, Any]]:
    """Objects under a key of the customer's own, maybe of another account; the key's policy has the last word.

    S3 encrypts for the object, or for the bucket where that has a key of its own (SSE-KMS, "Encryption context").
    """

    def through(buckets: set[str]) -> dict[str, Any]:
        objects = [f"arn:aws:s3:::{bucket}{rest}" for bucket in sorted(buckets) for rest in ("", "/*")]
        return {"StringLike": {"kms:ViaService": ["s3.*.amazonaws.com"], "kms:EncryptionContext:aws:s3:arn": objects}}

    keys = ["arn:aws:kms:*:*:key/*"]
    return [
        allow(["kms:Decrypt"], keys, through(read)),
        allow(["kms:GenerateDataKey"], keys, through(written)),
    ]


def secret(reference: str, account: str) -> dict[str, Any]:
    kind, _, name = reference.partition(":")
    if kind == "ssm":
        return allow(["ssm:GetParameter"], [f"arn:aws:ssm:*:{account}:parameter/{name.strip('/')}"])
    arn = name if name.startswith("arn:") else f"arn:aws:secretsmanager:*:{account}:secret:{name}-??????"
    return allow(["secretsmanager:GetSecretValue"], [arn])


def listing(bucket: str, prefix: str) -> dict[str, Any]:
    condition = {"StringLike": {"s3:prefix": [prefix, prefix.removesuffix("*")]}} if prefix != "*" else {}
    return allow(["s3:ListBucket"], [f"arn:aws:s3:::{bucket}"], condition)


def allow(actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})
