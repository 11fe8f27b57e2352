"""What cannot be read stands in nobody's way: a report of another version, a price that is refused."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from provisioner.domain.jobs import EndReason, JobState
from provisioner.errors import PermissionDenied, RateLimited
from provisioner.jobs.records import prefix
from tests.jobs.builders import JOB, World, launched

DENIED = PermissionDenied("ec2:DescribeSpotPriceHistory is not allowed.")


@pytest.fixture
def world() -> World:
    return World()


def spoil(world: World, **changes: object) -> None:
    """The machine says what only a later version understands."""
    key = f"{prefix(JOB)}attempts/{world.attempt.number}/nodes/0.json"
    world.objects.put(key, json.dumps(json.loads(world.objects.get(key)) | changes).encode())


def test_a_machine_whose_report_cannot_be_read_can_be_cancelled(world: World) -> None:
    """It gets its grace, is ended, and the record is closed."""
    launched(world)
    spoil(world, phase="warmup")
    world.cancel()
    world.step()
    assert world.machine.alive

    world.step_for(timedelta(minutes=10))

    assert (world.record.state, world.machine.alive) == (JobState.CANCELLED, False)
    assert world.attempt.cost is not None


@pytest.mark.parametrize("strange", [{"phase": "warmup"}, {"ended": {"reason": "bored", "at": "2026-01-05T12:00:00Z"}}])
def test_a_machine_whose_report_cannot_be_read_is_neither_booting_nor_silent(
    world: World, strange: dict[str, object]
) -> None:
    """Unknown is no reason to end it; its deadline is."""
    launched(world, max_duration=timedelta(hours=2))
    spoil(world, **strange)
    world.step_for(timedelta(hours=1))
    assert (world.machine.alive, world.attempt.end_reason) == (True, None)

    world.step_for(timedelta(hours=1, minutes=10))

    assert (world.machine.alive, world.attempt.end_reason) == (False, EndReason.OVER_TIME)


def test_a_machine_that_is_gone_with_an_unreadable_report_is_lost(world: World) -> None:
    """It had reported, so it did boot; the next one says why the last was given up."""
    launched(world)
    spoil(world, phase="warmup")
    world.cloud.shut_down(world.machine.id)
    world.step()

    first = world.record.attempts[0]
    assert first.end_reason is EndReason.LOST
    assert "damaged" in first.message
    assert len(world.record.attempts) == 2


def test_a_refused_price_keeps_no_machine_alive(world: World) -> None:
    """A job with a budget is cancelled all the same; what it cost is then unknown, and not nothing."""
    launched(world, budget=Decimal(1000))
    world.cancel()
    world.cloud.fail_next("price_history", *[DENIED] * 100)
    world.step_for(timedelta(minutes=10))

    assert (world.record.state, world.machine.alive) == (JobState.CANCELLED, False)
    assert world.attempt.cost is not None
    assert world.attempt.cost.paid is None


def test_a_refused_price_does_not_end_a_program_that_finished(world: World) -> None:
    """Whoever steps the job need not be allowed to see prices."""
    launched(world, budget=Decimal(1000))
    world.cloud.fail_next("price_history", *[DENIED] * 100)
    world.report_end(EndReason.FINISHED)
    world.step_for(timedelta(minutes=2))

    assert world.record.state is JobState.SUCCEEDED


def test_a_price_that_is_refused_for_a_while_ends_no_job(world: World) -> None:
    """Its machine runs on; a new one is bought once the budget can be kept again."""
    launched(world, budget=Decimal(1000))
    world.cloud.fail_next("price_history", *[RateLimited("slow down")] * 3)
    world.step()
    assert world.machine.alive

    world.cloud.shut_down(world.machine.id)
    with pytest.raises(RateLimited):
        world.step()
    world.step()

    assert (len(world.record.attempts), world.record.outcome) == (2, None)


@pytest.mark.parametrize("times", [1, 1000])
def test_a_price_that_is_throttled_is_waited_for_by_a_cancelled_job_too(world: World, times: int) -> None:
    """One throttled call leaves no cost unknown for good; a quarter of an hour of them keeps no job open."""
    launched(world)
    world.cancel()
    world.step()
    world.cloud.shut_down(world.machine.id)
    world.cloud.fail_next("price_history", *[RateLimited("slow down")] * times)
    with pytest.raises(RateLimited):
        world.step()
    world.pass_time(timedelta(minutes=16))
    world.step()

    assert world.record.state is JobState.CANCELLED
    assert world.attempt.cost is not None
    assert (world.attempt.cost.paid is None) == (times > 1)


def test_a_price_that_nothing_rests_on_keeps_no_job_waiting_for_its_next_machine(world: World) -> None:
    """Without a budget it is a figure: after two minutes of refusals the job goes on, whatever its --max-wait."""
    launched(world, max_wait=timedelta(days=2))
    world.cloud.shut_down(world.machine.id)
    world.cloud.fail_next("price_history", *[RateLimited("slow down")] * 1000)
    world.step_in_vain(4, pause=timedelta(seconds=30))
    world.step()

    first = world.record.attempts[0]
    assert (first.cost is not None and first.cost.paid is None, len(world.record.attempts)) == (True, 2)


def test_a_price_that_was_refused_before_a_night_and_after_it_ends_no_job_with_a_budget(world: World) -> None:
    """Nobody asked meanwhile: that is no long wait."""
    launched(world, budget=Decimal(1000), max_wait=timedelta(hours=1))
    world.cloud.shut_down(world.machine.id)
    world.cloud.fail_next("price_history", *[RateLimited("slow down")] * 4)
    world.step_in_vain(2, pause=timedelta(hours=8))
    world.step()

    assert (len(world.record.attempts), world.record.outcome) == (2, None)


def test_a_program_that_may_be_started_again_waits_for_its_price(world: World) -> None:
    """With a budget, what it cost decides whether another machine follows: one refused call does not end the job."""
    launched(world, budget=Decimal(1000), max_restarts=1)
    world.report_end(EndReason.FAILED, exit_code=3)
    world.cloud.shut_down(world.machine.id)
    world.cloud.fail_next("price_history", *[DENIED] * 3)
    with pytest.raises(PermissionDenied):
        world.step()
    world.step()

    assert (len(world.record.attempts), world.record.outcome) == (2, None)


def test_a_price_that_stays_refused_ends_a_job_with_a_budget_with_its_wait(world: World) -> None:
    """It cannot be kept: no machine is bought on it, and nobody steps the job for ever."""
    launched(world, budget=Decimal(1000), max_wait=timedelta(hours=1))
    world.cloud.shut_down(world.machine.id)
    world.cloud.fail_next("price_history", *[DENIED] * 1000)
    for _ in range(12):
        with pytest.raises(PermissionDenied):
            world.step()
        world.pass_time(timedelta(minutes=5))
    world.step()

    assert world.record.outcome is not None
    assert "not known" in world.record.outcome.message
    assert len(world.cloud.instances) == 1


def test_cancelling_tells_the_machine_itself(world: World) -> None:
    """The word to stop is in the record at once, whether or not anybody can step the job."""
    launched(world)
    world.cancel()

    assert (world.record.orders.run, world.record.orders.reason) == (False, EndReason.CANCELLED)
