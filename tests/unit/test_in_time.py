"""By which clock the end of a stack has passed."""

from datetime import UTC, datetime

import pytest
from pulumi import RunError

from provisioner.sandbox.azure.front import PASSED_OVER, next_time
from stacks.components.azure_machine import AHEAD
from stacks.components.in_time import latest, refuse_late

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AT = "2026-11-21T20:00:00Z"


def test_an_end_ahead_by_both_clocks_is_right() -> None:
    """The cloud says nothing at preview, or something earlier of a stack that is older."""
    refuse_late(AT, latest(None, NOW))
    refuse_late(AT, latest("2026-11-20T08:00:00Z", NOW))


def test_an_end_that_the_clouds_clock_has_passed_is_refused_though_this_computers_lags_behind() -> None:
    """With what to change."""
    with pytest.raises(RunError, match=f"the end of this stack is {AT}.*\nhint: .*endAfter"):
        refuse_late(AT, latest("2026-11-22T08:00:00Z", NOW))


def test_an_end_so_near_that_azure_would_pass_over_it_is_refused() -> None:
    """Azure, and the sandbox as it does, would shut the machine down a day later."""
    with pytest.raises(RunError, match="too near"):
        refuse_late("2026-11-21T12:40:00Z", NOW + AHEAD)
    refuse_late("2026-11-21T12:46:00Z", NOW + AHEAD)

    assert AHEAD > PASSED_OVER
    assert next_time("1230", NOW + PASSED_OVER) == datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    assert next_time("1232", NOW + PASSED_OVER) == datetime(2026, 11, 21, 12, 32, tzinfo=UTC)
