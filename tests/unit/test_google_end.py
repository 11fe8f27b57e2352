"""The end of a TPU stack on Google Cloud."""

from datetime import UTC, datetime

import pytest
from pulumi import RunError

from stacks.components.gcp_end import cron
from stacks.components.in_time import refuse_late

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("at", ["2026-11-21T11:59:00Z", "2026-11-21T12:00:00Z", "2027-11-22T12:00:00Z"])
def test_an_end_that_cron_would_find_in_another_year_is_refused(at: str) -> None:
    """Cron has no year: what is past comes back in a year, and what is more than a year away comes too soon."""
    with pytest.raises(RunError, match=f"the end of this stack is {at}"):
        refuse_late(at, NOW)


@pytest.mark.parametrize(
    ("at", "line"), [("2026-11-21T12:05:00Z", "5 12 21 11 *"), ("2027-01-02T00:00:00Z", "0 0 2 1 *")]
)
def test_an_end_ahead_is_one_minute_of_the_year(at: str, line: str) -> None:
    """In UTC."""
    refuse_late(at, NOW)

    assert cron(at) == line
