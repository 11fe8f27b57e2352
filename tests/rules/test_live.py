"""What the rules say of machines that are there already, off a listing of the account."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from provisioner.catalog import labels
from provisioner.domain.estate import Holding, Tenure
from provisioner.domain.instances import Instance, InstanceState
from provisioner.domain.offerings import CapacityType
from provisioner.rules import configuration, live, ruleset
from tests.rules.cases import NOW

PAYS = {"owner": "ann", "team": "vision", "cost-center": "42"}


def holding(marks: Mapping[str, str], *, state: InstanceState = InstanceState.RUNNING) -> Holding:
    """A p5 on demand with these labels."""
    machine = Instance(
        id="i-1", cloud="aws", region="us-east-1", zone="us-east-1a", instance_type="p5.48xlarge",
        capacity_type=CapacityType.ON_DEMAND, state=state, launched_at=NOW - timedelta(days=1),
        labels=PAYS | dict(marks),
    )  # fmt: skip
    return Holding(instance=machine, tenure=Tenure.ON_DEMAND)


def said(found: Holding) -> dict[str, str]:
    """What each broken rule says."""
    judged = ruleset.judge(live.facts(found), configuration.load("development"), NOW)
    return {one.rule: one.what for one in judged if one.outcome is ruleset.Outcome.VIOLATION}


def ends(at: datetime) -> dict[str, str]:
    return labels.ours() | {labels.EXPIRES_AT: f"{at:%Y-%m-%dT%H:%M:%SZ}"}


def test_a_machine_past_its_end_is_a_violation_in_its_own_words() -> None:
    """Twelve hours after its end nothing has ended it; one whose end is ahead is left alone."""
    (what,) = said(holding(ends(NOW - timedelta(hours=12)))).values()

    assert "it should have ended at" in what
    assert "nothing has ended it" in what
    assert said(holding(ends(NOW + timedelta(hours=8)))) == {}


@pytest.mark.parametrize("marks", [{}, ends(NOW - timedelta(hours=12))], ids=["no end", "past its end"])
def test_a_machine_that_is_switched_off_is_not_always_on(marks: dict[str, str]) -> None:
    """It costs its disks alone."""
    assert said(holding(marks, state=InstanceState.STOPPED)) == {}


def test_a_label_on_a_machine_that_nobody_manages_is_no_end() -> None:
    """The reaper leaves it, whatever its label says."""
    marks = {labels.EXPIRES_AT: f"{NOW + timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}"}

    assert "ends nothing" in said(holding(marks))["accelerator-not-always-on"]
