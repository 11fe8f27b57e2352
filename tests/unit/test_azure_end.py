"""The end of a stack of Azure's machines: its daily schedule lets a time pass that is too near."""

from datetime import UTC, datetime, timedelta

import pytest
from pulumi import RunError

from provisioner.sandbox.azure.front import next_time
from stacks.components.azure_machine import AHEAD, KEYS
from stacks.components.in_time import refuse_late
from stacks.settings import parsed

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
END_AFTER = next(key for key in KEYS if key.name == "endAfter")


@pytest.mark.parametrize(
    ("clock", "at"), [("1230", "21 12:30"), ("1229", "22 12:29"), ("1200", "22 12:00"), ("1159", "22 11:59")]
)
def test_the_sandbox_lets_a_time_pass_as_azure_does(clock: str, at: str) -> None:
    """A schedule that is made less than half an hour before its time begins on the next day."""
    assert f"{next_time(clock, NOON):%d %H:%M}" == at


def test_a_time_after_midnight_may_be_too_near_as_well() -> None:
    """It comes a day later than tomorrow's."""
    assert f"{next_time('0010', NOON.replace(hour=23, minute=50)):%d %H:%M}" == "23 00:10"


@pytest.mark.parametrize("value", ["5m", "59m", "25h"])
def test_an_end_that_azure_could_let_pass_is_refused_by_name(value: str) -> None:
    """Before anything is made."""
    with pytest.raises(RunError, match=r"accelctl:endAfter is .*from 1h to 1d"):
        parsed(END_AFTER, value)


def test_no_machine_is_made_when_its_end_is_too_near() -> None:
    """It takes a while itself, and its schedule comes after it."""
    refuse_late("2026-11-21T12:46:00Z", NOON + AHEAD)
    with pytest.raises(RunError, match="too near"):
        refuse_late("2026-11-21T12:45:00Z", NOON + AHEAD)
    assert timedelta(minutes=30) < AHEAD < parsed(END_AFTER, "1h")
