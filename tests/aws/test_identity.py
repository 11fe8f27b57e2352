"""What a job's machines may do: no more than they need."""

import json
from typing import Any

import pytest

from provisioner.catalog.policies import at_most, trust
from provisioner.clouds.aws.identity import policy
from provisioner.clouds.base import IdentityRequest
from provisioner.domain.jobs import Grant

ACCOUNT = "123456789012"
OWN = "arn:aws:s3:::store/jobs/j1"


def statements(**more: Any) -> list[dict[str, Any]]:
    wanted = IdentityRequest(
        name="accelctl-j1", job="j1", labels={}, store="s3://store", read=("agents/a.pyz",), **more
    )
    return policy(wanted, ACCOUNT)["Statement"]


def resources(action: str, **more: Any) -> set[str]:
    return {resource for s in statements(**more) if action in s["Action"] for resource in s["Resource"]}


def test_a_job_reads_its_own_prefix_and_the_named_objects() -> None:
    """Nothing else in the store, not even other jobs' records."""
    assert resources("s3:GetObject") == {f"{OWN}/*", "arn:aws:s3:::store/agents/a.pyz"}


def test_a_job_writes_only_what_a_machine_reports() -> None:
    """Never its own record: what it may do next is not for the machine to say."""
    pulse = "arn:aws:s3:::store/heartbeats/*/j1/*"
    assert resources("s3:PutObject") == {pulse, *(f"{OWN}/{part}/*" for part in ("attempts", "checkpoints", "blobs"))}
    assert resources("s3:DeleteObject") == {pulse, *(f"{OWN}/{part}/*" for part in ("checkpoints", "blobs"))}


def test_listing_is_limited_to_the_prefix() -> None:
    """A list of the bucket would show other jobs."""
    listing = [s for s in statements() if s["Action"] == ["s3:ListBucket"]]

    assert [s["Condition"] for s in listing] == [{"StringLike": {"s3:prefix": ["jobs/j1/*", "jobs/j1/"]}}]


@pytest.mark.parametrize(
    ("write", "written"), [(False, set[str]()), (True, {"arn:aws:s3:::data/set", "arn:aws:s3:::data/set/*"})]
)
def test_a_grant_reads_and_writes_only_when_it_says_so(write: bool, written: set[str]) -> None:
    """s3://data/set is read; with :rw it is written as well."""
    grant = (Grant(bucket="data", prefix="set", write=write),)

    assert "arn:aws:s3:::data/set/*" in resources("s3:GetObject", access=grant)
    assert {r for r in resources("s3:PutObject", access=grant) if ":data/" in r} == written


@pytest.mark.parametrize(
    ("prefix", "read"), [("file.tar", {"file.tar", "file.tar/*"}), ("folder/", {"folder/*"}), ("", {"*"})]
)
def test_a_grant_may_name_a_single_object(prefix: str, read: set[str]) -> None:
    """`s3://data/file.tar` is that object, or what lies below it; with a slash at the end the latter alone."""
    found = resources("s3:GetObject", access=(Grant(bucket="data", prefix=prefix, write=False),))
    assert {one.removeprefix("arn:aws:s3:::data/") for one in found if ":data/" in one} == read


def test_secrets_are_named_one_by_one() -> None:
    """The parameter and the secret that the job names, and no other."""
    arn = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:key-AbCdEf"
    secrets = ("ssm:/team/token", f"secretsmanager:{arn}")

    assert resources("ssm:GetParameter", secrets=secrets) == {f"arn:aws:ssm:*:{ACCOUNT}:parameter/team/token"}
    assert resources("secretsmanager:GetSecretValue", secrets=secrets) == {arn}
    assert not resources("ssm:GetParameter")


def test_no_statement_has_a_wildcard_action() -> None:
    """Every action is named; a wildcard resource only where the action knows no other, under a condition."""
    found = [*statements(access=(Grant(bucket="b", prefix="p", write=True),)), *boundary()]

    assert not [action for s in found for action in s["Action"] if "*" in action]
    assert [s["Action"] for s in statements() if s["Resource"] == ["*"]] == [["cloudwatch:PutMetricData"]]


def test_the_boundary_covers_all_that_a_job_may_get_and_nothing_of_iam_or_ec2() -> None:
    """Whatever policy is put on a job's role, it ends here."""
    allowed = {action for s in boundary() for action in s["Action"]}
    grant = (Grant(bucket="b", prefix="p", write=True),)
    wanted = {
        action for s in statements(access=grant, secrets=("ssm:/a", "secretsmanager:b")) for action in s["Action"]
    }

    assert wanted <= allowed
    assert {action.split(":")[0] for action in allowed} == {"s3", "ssm", "secretsmanager", "kms", "cloudwatch"}


def test_only_machines_take_the_role() -> None:
    """EC2 assumes it, nobody else."""
    trusted = json.loads(trust("ec2.amazonaws.com"))["Statement"]

    assert [s["Principal"] for s in trusted] == [{"Service": "ec2.amazonaws.com"}]


def boundary() -> list[dict[str, Any]]:
    return json.loads(at_most())["Statement"]
