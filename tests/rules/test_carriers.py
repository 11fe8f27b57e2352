"""Every type that could carry a machine is judged, or said."""

import json
from pathlib import Path
from typing import Any

import pytest

from provisioner.rules import coverage
from provisioner.rules.carriers import carriers
from provisioner.rules.facts import UNKNOWN
from provisioner.rules.readers import READERS, could_carry, not_checked, plain, types_table
from tests.cli.test_command_line import accelctl
from tests.rules.cases import CASES


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure-native"])
def test_no_type_of_the_installed_sdks_is_passed_over_in_silence(cloud: str) -> None:
    """A new version of an SDK that brings another one fails here until it is read or listed."""
    package = f"pulumi_{cloud.replace('-', '_')}"
    pytest.importorskip(package)
    said = {token for token in [*READERS, *not_checked()] if token.startswith(f"{cloud}:")}
    could = set(carriers(package))

    assert could <= said
    assert not_checked() & could == {one for one in not_checked() if one.startswith(f"{cloud}:")}


def test_what_is_not_checked_is_counted_and_named(tmp_path: Path) -> None:
    """The verdict stays what it is; the count is there for who reads JSON. A component is what it is made of."""
    state: dict[str, Any] = {"urn": "urn:pulumi:s::p::aws:appstream/fleet:Fleet::host", "inputs": {},
             "type": "aws:appstream/fleet:Fleet"}  # fmt: skip
    plan = tmp_path / "plan.json"
    component = {"urn": "urn::farm", "type": "acme:x:Farm", "custom": False, "inputs": {"instanceType": "p5.48xlarge"}}
    plan.write_text(json.dumps({"steps": [{"op": "create", "newState": one} for one in (state, component)]}))

    done = accelctl("check", str(plan), "--output", "json", cwd=tmp_path)

    assert done.returncode == 0
    assert json.loads(done.stdout)["not_checked"] == [{"subject": "host", "type": state["type"]}]
    assert "1 resource could carry a machine and is not checked: host" in done.stderr


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws-native:ec2:Instance", {"instanceType": "p5.48xlarge"}),
        ("google-native:compute/v1:Instance", {"machineType": "zones/z/machineTypes/a3-highgpu-8g"}),
        ("gcp:tpu/node:Node", {"acceleratorType": "v5litepod-8"}),
        ("azure:batch/pool:Pool", {"vmSize": "STANDARD_NC24ADS_A100_V4"}),
        ("acme:cloud:Farm", {"pools": [{"sku": {"name": "Standard_ND96isr_H100_v5"}}]}),
        ("acme:cloud:Nodes", {"nodeConfig": UNKNOWN}),
        ("aws:cloudformation/stack:Stack", {"templateBody": "Properties:\n  InstanceType: p5.48xlarge"}),
        ("aws:cloudformation/stack:Stack", {"templateUrl": "https://b.s3.amazonaws.com/t.yaml"}),
        ("aws:cloudformation/stackSet:StackSet", {"templateBody": UNKNOWN}),
        ("aws:cloudcontrol/resource:Resource", {"desiredState": '{"InstanceType": "p5.48xlarge"}'}),
        (
            "gcp:deploymentmanager/deployment:Deployment",
            {"target": {"config": {"content": "resources: [{properties: {machineType: a3-highgpu-8g}}]"}}},
        ),
        ("gcp:deploymentmanager/deployment:Deployment", {"target": {"config": {"content": UNKNOWN}}}),
        ("azure-native:resources:Deployment", {"properties": {"templateLink": {"uri": "https://h/t.json"}}}),
        ("azure-native:resources:Deployment", {"properties": {"template": {"p": [{"vmSize": "Standard_M8ms"}]}}}),
        (
            "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
            {"templateContent": '{"hardwareProfile": {"vmSize": "Standard_M8ms"}}'},
        ),
    ],
)
def test_a_type_of_an_sdk_that_is_not_installed_is_known_by_its_inputs(token: str, inputs: dict[str, Any]) -> None:
    """Whatever its provider is: an input named like a machine's type, or a size with accelerators."""
    assert could_carry(token, inputs)


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:s3/bucket:Bucket", {"tags": {"type": "machine"}}),
        ("acme:cloud:Disk", {"sku": {"name": "Standard_LRS"}, "diskType": "ssd"}),
        ("aws:ec2/instance:Instance", {"instanceType": "p5.48xlarge"}),
        ("aws:cloudformation/stack:Stack", {"templateBody": '{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}'}),
        ("aws:cloudcontrol/resource:Resource", {"typeName": "AWS::S3::Bucket", "desiredState": "{}"}),
        ("gcp:deploymentmanager/deployment:Deployment", {"target": {"config": {"content": "resources: []"}}}),
        ("azure-native:resources:Deployment", {"properties": {"template": {"resources": []}}}),
    ],
    ids=[
        "a bucket",
        "a disk",
        "judged",
        "a template of a bucket",
        "a bucket by Cloud Control",
        "an empty deployment",
        "an empty template",
    ],
)
def test_what_carries_no_machine_or_is_judged_is_not_named(token: str, inputs: dict[str, Any]) -> None:
    """So that the count means something."""
    assert not could_carry(token, inputs)


def test_the_table_of_the_docs_is_made_from_the_code() -> None:
    """docs/rules.md holds it word for word."""
    docs = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()

    assert types_table() in docs
    assert coverage.tables() in docs, "python -m provisioner.rules.coverage prints it"


def test_the_table_of_rules_and_types_knows_of_every_verdict() -> None:
    """No case is judged by a rule that the table does not have for its type; and no type is without a rule."""
    missing = [
        (case["name"], rule)
        for case in CASES
        for rule in [*case["rules"], *case["unknown"]]
        if rule not in coverage.rules_of(plain(case["token"]))
    ]

    assert missing == []
    assert all(coverage.rules_of(token) for token in READERS)
