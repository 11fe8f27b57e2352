"""`check --live` looks wherever the account may have machines, and says where it could not."""

import json
from typing import Any

import pytest

from tests.e2e.jobs import accelctl
from tests.estate.serving import serving
from tests.estate.tables import Estate

WEST, SHUT = "us-west-2", "eu-west-1"


def spread(**more: Any) -> Estate:
    return Estate(machines=2, regions=("us-east-1", WEST, SHUT), **more)


def test_machines_are_judged_in_every_enabled_region_and_a_shut_one_is_named() -> None:
    """Prepared by setup or not; a violation elsewhere is said all the same."""
    with serving(spread(off=frozenset({SHUT}))):
        done = accelctl("check", "--live", "--output", "json")

    told = json.loads(done.stdout)
    assert done.returncode == 3, done.stderr
    assert [one["region"] for one in told["unseen"]] == [SHUT]
    assert len({(one["subject"], one["what"]) for one in told["findings"]}) >= 2


def test_no_violation_is_not_said_of_what_nobody_could_look_at() -> None:
    with serving(spread(off=frozenset({SHUT}), empty=frozenset({"us-east-1", WEST}))):
        done = accelctl("check", "--live")

    assert done.returncode == 4
    assert SHUT in done.stderr
    assert "no violation" not in done.stderr


@pytest.mark.parametrize("command", [("check", "--live"), ("reap",), ("teardown", "--everything")])
def test_a_setting_with_a_region_that_no_account_has_is_refused_by_name(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELCTL_LOOK_IN", "us-east-9")
    with serving(spread()):
        done = accelctl(*command)

    assert done.returncode == 2
    assert "look_in ($ACCELCTL_LOOK_IN): 'us-east-9' is not a region of this account" in done.stderr
