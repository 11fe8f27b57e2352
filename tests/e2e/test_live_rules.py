"""The live door: what the table says of a Pulumi program, `check --live` says of the machine that is there."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from provisioner.sandbox.pulumi.ec2 import create_instance
from provisioner.sandbox.pulumi.wire import given
from tests.e2e.jobs import accelctl
from tests.rules.cases import CASES, inputs_of
from tests.sandbox.world import aws

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
EC2 = "aws:ec2/instance:Instance"
UNSEEN = {
    "plain-disk",
    "protected-p5",
    "protected-small-machine",
    "public-address",
    "two-things-wrong",
    "a-volume-that-stays",
    "a-p5-that-pays-more-for-spot",
}
"""A listing says nothing of encryption, protection or the highest price; the stand-in gives no address, no volume."""
UNSOLD = {"a-type-nobody-knows", "p5-capacity-block", "trn1-spot"}
"""EC2 has no such machine (in this zone), or the sandbox no such block."""


def shown() -> list[dict[str, Any]]:
    return [
        case for case in CASES
        if case["token"] == EC2 and not case["unknown"] and "instanceType" in case["inputs"]
        and case["name"] not in UNSEEN | UNSOLD
    ]  # fmt: skip


@pytest.mark.full
def test_the_live_door_says_what_the_table_says() -> None:
    """Every machine of the table that EC2 sells, launched as Pulumi would, and judged as it stands."""
    cases = shown()
    place = {"ami": image(), "subnetId": private_subnet()}

    def launched(case: dict[str, Any]) -> str:
        inputs: dict[str, Any] = inputs_of(case) | place
        inputs["tags"]["Name"] = case["name"]
        return create_instance(aws, given(inputs))[0]

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(launched, cases))
    done = accelctl("check", "--live", "--region", "us-east-1", "--output", "json")
    aws("ec2").terminate_instances(InstanceIds=ids)
    said = {(one["subject"], one["rule"]) for one in json.loads(done.stdout)["findings"]}

    assert len(cases) >= 12
    assert done.returncode == 3
    assert said == {(case["name"], rule) for case in cases for rule in case["rules"]}


def private_subnet() -> str:
    ec2 = aws("ec2")
    network = ec2.create_vpc(CidrBlock="10.55.0.0/16")["Vpc"]["VpcId"]
    return ec2.create_subnet(VpcId=network, CidrBlock="10.55.0.0/20", AvailabilityZone="us-east-1a")["Subnet"][
        "SubnetId"
    ]


def image() -> str:
    return aws("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]


def test_an_account_without_a_violation_is_exit_0_and_nothing_named_is_exit_2() -> None:
    """No machine, no finding."""
    assert accelctl("check", "--live", "--region", "eu-west-1").returncode == 0
    assert accelctl("check").returncode == 2
    assert accelctl("check", "--live", "--region", "us-erst-1").returncode == 2
