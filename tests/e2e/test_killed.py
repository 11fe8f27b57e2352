"""Killed at any request, nothing leaks. A sample; benchmarks/kills.py sweeps every request of a whole job."""

from collections.abc import Iterator

import pytest

from provisioner.sandbox.client import ask
from tests.e2e.harness import hurt, hurt_successor, prepared
from tests.e2e.proxy import Fault, Plan

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]


@pytest.fixture(autouse=True)
def slow_to_list() -> Iterator[None]:
    """A new machine stays unlisted for two seconds: what a careless successor does not see, it buys again."""
    prepared()
    ask("consistency", seconds="2")
    yield
    ask("consistency", seconds="0.3")


@pytest.mark.parametrize(
    ("fault", "only", "at"),
    [
        (Fault.KILL_BEFORE, "RunInstances", 1),
        (Fault.KILL_AFTER, "RunInstances", 1),
        (Fault.KILL_AFTER, "record.json", 4),
    ],
)
def test_killed_at_a_request_the_job_still_ends_right(fault: Fault, only: str, at: int) -> None:
    """The record leads the next process on: one machine, the right end, nothing left."""
    plan = Plan(fault=fault, only=only, at=at)
    outcome = hurt(f"killed-{fault}-{only}-{at}".replace(".", "-"), plan)

    assert plan.hit == 1, plan.names
    assert outcome.right, outcome


@pytest.mark.parametrize(
    ("fault", "only"),
    [
        (Fault.LOST_ANSWER, "RunInstances"),
        (Fault.TRUNCATED, "DescribeInstances"),
    ],
)
def test_a_wrong_answer_is_survived(fault: Fault, only: str) -> None:
    """Errors, throttling, lost and broken answers: the job ends right by itself."""
    plan = Plan(fault=fault, only=only, at=1)
    outcome = hurt(f"hurt-{fault}-{only}".replace(".", "-"), plan)

    assert plan.hit == 1, plan.names
    assert outcome.right, outcome


@pytest.mark.parametrize("at", [3])
def test_the_successor_may_be_killed_as_well(at: int) -> None:
    """`step` takes over a killed launch and is killed itself: the next one still ends the job right."""
    plan = Plan(fault=Fault.KILL_AFTER, at=at)
    outcome = hurt_successor(f"successor-{at}", plan)

    assert plan.hit == 1, plan.names
    assert outcome.right, outcome


def test_the_harness_catches_a_launch_before_its_intent() -> None:
    """Without intent-before-act a killed launch is bought twice."""
    outcome = hurt("mutant-intent", Plan(fault=Fault.KILL_AFTER, only="RunInstances", at=1), mutant="no-intent")

    assert not outcome.right


def test_the_harness_catches_a_launch_without_its_token() -> None:
    """Without the token a launch whose answer is lost is bought twice."""
    outcome = hurt("mutant-token", Plan(fault=Fault.KILL_AFTER, only="RunInstances", at=1), mutant="no-token")

    assert not outcome.right
