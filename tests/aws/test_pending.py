"""What a killed Pulumi was making on AWS is found where it is one thing and ours, and never guessed."""

import secrets
from typing import Any

import pytest

from provisioner.catalog import labels
from provisioner.clouds.aws.pending import QUEUE, Orphans
from provisioner.domain.pending import Pending
from provisioner.errors import CloudUnavailable
from tests.sandbox.world import aws

HERE = {"region": "sa-east-1"}
ROLE, SUBNET, VPC = "aws:iam/role:Role", "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc"


def pending(type: str, **inputs: Any) -> Pending:
    return Pending(f"urn:pulumi:s::accelctl::{type}::one", type, inputs)


def network(marks: dict[str, str]) -> str:
    spec = [{"ResourceType": "vpc", "Tags": [{"Key": key, "Value": value} for key, value in marks.items()]}]
    return aws("ec2", HERE["region"]).create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=spec)["Vpc"]["VpcId"]


@pytest.mark.usefixtures("sandbox")
def test_one_thing_with_the_label_is_found_and_of_two_nobody_can_tell() -> None:
    """One that is known already is another's."""
    marks = labels.ours(stack=f"s-{secrets.token_hex(4)}")
    one, find = pending(VPC, tags=marks, cidrBlock="10.9.0.0/16"), Orphans().find
    assert find(one, HERE, set()) == ""

    first = network(marks)
    assert find(one, HERE, set()) == first
    assert find(one, HERE, {first}) == ""

    second = network(marks)
    assert find(one, HERE, set()) is None
    assert find(one, HERE, {first}) == second


@pytest.mark.parametrize("inputs", [{}, {"tags": None}, {"tags": {"Name": "mine"}}])
def test_what_has_no_label_of_a_stack_cannot_be_told(inputs: dict[str, Any]) -> None:
    """Somebody's own resource in the same program."""
    assert Orphans().find(pending(VPC, **inputs), HERE, set()) is None


@pytest.mark.usefixtures("sandbox")
def test_a_queue_is_found_by_its_whole_name() -> None:
    """Not by how it begins."""
    name = f"reaper-{secrets.token_hex(4)}"
    aws("sqs", HERE["region"]).create_queue(QueueName=f"{name}-dlq")
    assert Orphans().find(pending(QUEUE, name=name), HERE, set()) == ""

    made = aws("sqs", HERE["region"]).create_queue(QueueName=name)["QueueUrl"]
    assert Orphans().find(pending(QUEUE, name=name), HERE, set()) == made


@pytest.mark.parametrize("one", [pending(QUEUE, name="q"), pending("aws:iam/policy:Policy", path="/", name="p")])
def test_a_cloud_that_does_not_answer_is_an_error_of_ours(one: Pending, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hint, and without a defect to report."""
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in nowhere.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CloudUnavailable):
        Orphans().find(one, HERE, set())
