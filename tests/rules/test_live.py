"""What the rules say of machines that are there already, off a listing of the account."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from provisioner.catalog import labels
from provisioner.cli.commands import check
from provisioner.domain.estate import Holding, OwnerKind, Tenure
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


@pytest.mark.parametrize("owner", [OwnerKind.GROUP, OwnerKind.FLEET, OwnerKind.POOL])
def test_whether_a_group_lets_its_machines_go_is_unknown_and_said(owner: OwnerKind) -> None:
    """Once for each dear one; what a listing never says, such as encryption, is passed over."""
    held, allowed = replace(holding({}), owner=owner), configuration.load("development")
    (found,) = live.findings(held, allowed, NOW)

    assert (found.rule, found.outcome) == ("accelerator-not-always-on", ruleset.Outcome.UNKNOWN)
    assert "does not show whether that lets it go" in found.what
    cheap = replace(held, instance=replace(held.instance, instance_type="c6a.large"))
    assert list(live.findings(cheap, allowed, NOW)) == []


def test_a_machine_outlives_the_reservation_that_it_runs_in() -> None:
    """So it needs an end of its own."""
    assert "has no end" in said(replace(holding({}), tenure=Tenure.RESERVED))["accelerator-not-always-on"]
    assert said(replace(holding(ends(NOW + timedelta(hours=8))), tenure=Tenure.RESERVED)) == {}


def test_a_machine_that_runs_is_advised_to_end_and_not_to_be_bought() -> None:
    """It cannot become spot."""
    what = said(holding({}))["accelerator-not-always-on"]

    assert "end it, or hand it to the reaper" in what
    assert "spot" not in what


def test_what_cannot_be_told_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """In words and in JSON, never no violation alone."""
    (found,) = live.findings(replace(holding({}), owner=OwnerKind.GROUP), configuration.load("development"), NOW)

    check.show([found], [], {}, "json")
    check.conclude([found], {})

    told = capsys.readouterr()
    assert json.loads(told.out)["unknown"] == 1
    assert "no violation is known; 1 finding cannot be told" in told.err
