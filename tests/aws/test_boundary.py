"""The permissions boundary: what any job may at most, as this version has it."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from provisioner.catalog.policies import at_most
from provisioner.clouds.aws.identity import Identities
from provisioner.clouds.aws.sessions import Sessions
from tests.sandbox.world import aws

pytestmark = pytest.mark.usefixtures("sandbox")
OLD = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}]}


@cache
def iam() -> Any:
    return aws("iam")


@pytest.fixture
def identities() -> Iterator[Identities]:
    """With the boundary made, and made again for whoever comes after."""
    made = Identities(Sessions("us-east-1"))
    made.remove_boundary()
    made.prepare()
    yield made
    made.prepare()


def versions(arn: str) -> list[dict[str, Any]]:
    return iam().list_policy_versions(PolicyArn=arn)["Versions"]


def in_force(arn: str) -> dict[str, Any]:
    current = iam().get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam().get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]["Document"]


def age(arn: str) -> None:
    """As an earlier accelctl left it."""
    iam().create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(OLD), SetAsDefault=True)


def test_setup_brings_an_old_boundary_up_to_date(identities: Identities) -> None:
    """Once; the next setup finds it as it should be."""
    age(identities.boundary_arn)

    assert identities.prepare().updated
    assert in_force(identities.boundary_arn) == json.loads(at_most())
    assert not identities.prepare().updated
    assert not identities.prepare().made


def test_the_oldest_version_makes_room(identities: Identities) -> None:
    """IAM keeps five."""
    arn = identities.boundary_arn
    while len(versions(arn)) < 5:
        age(arn)

    assert identities.prepare().updated
    assert len(versions(arn)) == 5
    assert "v1" not in {one["VersionId"] for one in versions(arn)}
    assert in_force(arn) == json.loads(at_most())


def test_a_boundary_with_old_versions_is_removed(identities: Identities) -> None:
    """IAM refuses a policy that has other versions; gone already is success."""
    age(identities.boundary_arn)
    identities.prepare()
    identities.remove_boundary()
    identities.remove_boundary()

    assert identities.boundary() is None
