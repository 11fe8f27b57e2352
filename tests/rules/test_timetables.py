"""When schedules run, as the clouds write it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioner.rules.timetables import Timetable

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)  # a Saturday
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    "runs",
    [
        "at(2026-11-22T03:00:00)", "at(2026-11-21T12:00:00Z)", "rate(1 minute)", "rate(7 days)",
        "0 20 * * *", "*/5 * * * *", "0 18 * * 1-5", "0 18 * * mon-FRI", "30 2 28 11 *", "0 0 1 * 7", "0 0 1 * FRI-SUN",
        "0 0 28 11 2", "0 0 27-28 * *", "cron(0 20 * * ? *)", "cron(0 20 ? * 7 *)", "cron(0/15 8-18 ? * SUN 2026)",
        "cron(0 1 28 NOV ? 2026-2027)", "0 19 * * Monday,Friday",
    ],
)  # fmt: skip
def test_what_runs_within_a_week_is_known(runs: str) -> None:
    """Once, at a rate, by Unix's cron lines and by EventBridge's."""
    assert Timetable(runs=runs).within(NOON, WEEK)


@pytest.mark.parametrize(
    "runs",
    [
        "at(2026-11-21T11:59:00)", "at(2020-01-01T00:00:00)", "at(2099-01-01T00:00:00)", "at(soon)", "rate(8 days)",
        "rate(0 weeks)", "0 0 30 2 *", "0 0 20 11 *", "0 0 1 1 *", "0 11 21 11 *", "cron(0 20 * * ? 2025)",
        "cron(0 20 ? * 7 2027)", "cron(0 0 1 1 ? *)", "cron(0 20 * *)", "0 25 * * *", "99 * * * *", "0 0 * * 1#2",
        "0 0 L * *", "0 19 * * ", "*/0 * * * *", "", "every now and then",
    ],
)  # fmt: skip
def test_what_does_not_or_is_no_schedule_is_none(runs: str) -> None:
    """Past, too far, never, or what nobody can read."""
    assert not Timetable(runs=runs).within(NOON, WEEK)


@pytest.mark.parametrize(
    ("more", "runs"),
    [
        ({"since": NOON + timedelta(days=2)}, True),
        ({"since": NOON + timedelta(days=8)}, False),
        ({"until": NOON + timedelta(days=2)}, True),
        ({"until": NOON - timedelta(days=2)}, False),
        ({"since": NOON + timedelta(days=2), "until": NOON + timedelta(days=2, hours=1)}, False),
    ],
)
def test_a_schedule_runs_between_its_moments_alone(more: dict[str, Any], runs: bool) -> None:
    """A daily one, that has not begun, or is over."""
    assert Timetable(runs="0 20 * * *", **more).within(NOON, WEEK) is runs


def test_a_moment_is_by_the_clocks_of_its_zone() -> None:
    """One that nobody knows here counts as UTC."""
    at_noon = "at(2026-11-21T12:30:00)"

    assert not Timetable(runs=at_noon, zone="Europe/Berlin").within(NOON, WEEK)
    assert Timetable(runs=at_noon, zone="America/New_York").within(NOON, WEEK)
    assert Timetable(runs=at_noon, zone="W. Europe Standard Time").within(NOON, WEEK)


def test_a_limit_without_end_breaks_nothing() -> None:
    """Nobody has such long patience."""
    assert not Timetable(runs="rate(1 day)").within(NOON, timedelta.max)


def test_a_rates_first_run_is_that_of_its_start() -> None:
    """Where that lies ahead; else an interval has to pass."""
    assert Timetable(runs="rate(30 days)", since=NOON + timedelta(days=1)).within(NOON, timedelta(days=14))
    assert not Timetable(runs="rate(30 days)", since=NOON - timedelta(days=1)).within(NOON, timedelta(days=14))
