"""What is added at level `remediate`: enough for the rule to pass, where the type can carry it, and nothing else."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioner.rules import configuration, ruleset
from provisioner.rules.configuration import Configuration, Exemption
from provisioner.rules.documents import plain
from provisioner.rules.facts import UNKNOWN
from provisioner.rules.readers import reader_of
from provisioner.rules.remedies import ENDED_BY_LABEL, LONGEST_RUN, PLACES, REMEDIES, Case
from provisioner.rules.ruleset import Outcome

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DEVELOPMENT, PRODUCTION = configuration.load("development"), configuration.load("production")
HANDED_OVER = {"accelctl:managed": "accelctl", "accelctl:stack": "dev"}
INSTANCE = "aws:ec2/instance:Instance"
DEAR: dict[str, Any] = {
    "instanceType": "p5.48xlarge", "instanceTypes": ["p5.48xlarge"], "machineType": "a3-highgpu-8g",
    "size": "Standard_ND96isr_H100_v5", "vmSize": "Standard_ND96isr_H100_v5", "acceleratorType": "v5p-8",
    "hardwareProfile": {"vmSize": "Standard_ND96isr_H100_v5"}, "sku": {"name": "Standard_ND96isr_H100_v5"},
    "nodeConfig": {"machineType": "a3-highgpu-8g"}, "resourceSpec": {"instanceType": "ml.p5.48xlarge"},
    "productionVariants": [{"instanceType": "ml.p5.48xlarge"}],
    "launchSpecifications": [{"instanceType": "p5.48xlarge"}],
    "computeResources": {"instanceTypes": ["p5.48xlarge"]}, "computeConfiguration": {"instanceType": "p5.48xlarge"},
    "agentPoolProfiles": [{"vmSize": "Standard_ND96isr_H100_v5"}],
    "vmSizesProfile": [{"name": "Standard_ND96isr_H100_v5"}],
    "defaultNodePool": {"vmSize": "Standard_ND96isr_H100_v5"}, "virtualMachineSize": "Standard_ND96isr_H100_v5",
    "properties": {"properties": {"vmSize": "Standard_ND96isr_H100_v5"}, "instanceType": "Standard_ND96isr_H100_v5"},
    "gceSetup": {"machineType": "a3-highgpu-8g"},
    "spaceSettings": {"jupyterLabAppSettings": {"defaultResourceSpec": {"instanceType": "ml.p5.48xlarge"}}},
    "containers": [{"resources": {"requests": {"gpu": {"count": 4, "sku": "V100"}}}}],
    "template": {"nodeSelector": {"accelerator": "nvidia-l4"},
                 "spec": {"nodeSelector": {"run.googleapis.com/accelerator": "nvidia-l4"}}},
    "workloadProfiles": [{"workloadProfileType": "NC96-A100"}], "workloadProfileName": "gpu",
    "machineSpec": {"machineType": "a3-highgpu-8g"},
    "resourcePools": [{"machineSpec": {"machineType": "a3-highgpu-8g"}}],
    "coreInstanceGroup": {"instanceType": "p5.48xlarge"},
    "launchTemplateConfigs": [{"overrides": [{"instanceType": "p5.48xlarge"}]}],
}  # fmt: skip


def case(token: str, inputs: Any, allowed: Configuration = DEVELOPMENT) -> Case:
    reader = reader_of(token)
    assert reader is not None
    return Case(token=token, facts=reader("r", plain(inputs)), allowed=allowed, now=NOW, caller="Ann", stack="dev")


def mended(rule: str, token: str, inputs: Any, allowed: Configuration = DEVELOPMENT) -> dict[str, Any]:
    """The inputs with what the rule adds."""
    found = copy.deepcopy(dict(inputs))
    for one in REMEDIES[rule](case(token, inputs, allowed)):
        holder = found
        for name in one.path[:-1]:
            holder = holder.setdefault(name, {})
        holder[one.path[-1]] = one.value
    return found


def broken(token: str, inputs: Any, allowed: Configuration = DEVELOPMENT) -> set[str]:
    found = ruleset.judge(case(token, inputs).facts, allowed, NOW)
    return {one.rule for one in found if one.outcome is Outcome.VIOLATION}


@pytest.mark.parametrize("token", sorted(PLACES))
def test_missing_labels_are_added_where_the_type_has_them(token: str) -> None:
    """Development accepts it; production refuses `unassigned`."""
    assert "required-labels" in broken(token, DEAR)
    found = mended("required-labels", token, DEAR)

    assert "required-labels" not in broken(token, found)
    assert "required-labels" in broken(token, found, PRODUCTION)


@pytest.mark.parametrize("token", sorted({*LONGEST_RUN, *ENDED_BY_LABEL}))
def test_what_would_be_on_for_ever_gets_an_end(token: str) -> None:
    """Near enough for every rule."""
    assert "accelerator-not-always-on" in broken(token, DEAR)

    assert not {"accelerator-not-always-on", "end-within-limit"} & broken(
        token, mended("end-within-limit", token, DEAR)
    )


def test_labels_that_are_there_are_left_and_others_are_the_callers() -> None:
    """With or without our prefix."""
    held = DEAR | {"tags": {"team": "vision", "Name": "n"}}

    assert mended("required-labels", INSTANCE, held)["tags"] == {
        "team": "vision", "Name": "n", "accelctl:owner": "Ann", "accelctl:cost-center": "unassigned"
    }  # fmt: skip


def test_google_gets_labels_as_it_takes_them() -> None:
    """Small letters, no colon."""
    found = mended("required-labels", "gcp:tpu/v2Vm:V2Vm", DEAR)

    assert found["labels"]["accelctl-owner"] == "ann"


def test_an_end_is_the_midnight_after_and_so_the_same_all_day() -> None:
    """`up` twice on a day asks for the same."""
    tags = mended("end-within-limit", INSTANCE, DEAR)["tags"]

    assert tags == HANDED_OVER | {"accelctl:expires-at": "2026-11-22T00:00:00Z"}


def test_a_persons_own_end_stays_and_is_handed_to_the_reaper() -> None:
    """A label that nothing heeded becomes one that ends the machine at the moment that the person chose."""
    own = {"accelctl:expires-at": "2026-11-21T20:00:00Z"}

    assert mended("end-within-limit", INSTANCE, DEAR | {"tags": own})["tags"] == HANDED_OVER | own


@pytest.mark.parametrize(
    ("token", "more"),
    [
        (INSTANCE, {"instanceMarketOptions": {"marketType": "spot"}}),
        (INSTANCE, {"tags": HANDED_OVER | {"accelctl:expires-at": "2026-11-21T20:00:00Z"}}),
        (INSTANCE, {"tags": HANDED_OVER | {"accelctl:expires-at": "2027-11-21T20:00:00Z"}}),
        (INSTANCE, {"tags": UNKNOWN}),
        (INSTANCE, {"instanceType": "c6i.large"}),
        ("aws:ec2/launchTemplate:LaunchTemplate", {}),
        ("gcp:tpu/v2Vm:V2Vm", {}),
        ("aws:ec2/fleet:Fleet", {"targetCapacitySpecification": {"totalTargetCapacity": 2}}),
    ],
    ids=["spot", "has one", "has a late one", "not known yet", "cheap", "a template", "nothing ends it", "a group"],
)
def test_no_end_is_added_where_none_is_missing_or_none_would_hold(token: str, more: dict[str, Any]) -> None:
    """A person's own end is never changed; a label that nothing heeds is none."""
    assert mended("end-within-limit", token, DEAR | more) == DEAR | more


def test_who_is_let_off_a_rule_is_left_alone() -> None:
    """An exemption holds."""
    off = Exemption(pattern="r", rule="required-labels", reason="x", owner="ann", until=(NOW + timedelta(1)).date())

    assert mended("required-labels", INSTANCE, DEAR, replace(DEVELOPMENT, exemptions=(off,))) == DEAR
