"""A machine whose own way to the store is down: its program runs, and nothing is ended on a guess."""

from datetime import timedelta

import pytest

from provisioner.domain.jobs import EndReason
from provisioner.errors import PermissionDenied, RateLimited
from tests.jobs.builders import World, launched


@pytest.fixture
def world() -> World:
    return World()


def test_a_healthy_machine_that_cannot_reach_the_store_is_waited_for(world: World) -> None:
    """Its uploads catch up once the way is there again: no second machine is bought."""
    launched(world)
    world.step_for(timedelta(minutes=50))
    world.report(checkpoint=world.save(1))
    world.step_for(timedelta(minutes=5))

    assert (len(world.record.attempts), world.machine.alive) == (1, True)
    assert world.record.checkpoint is not None


def test_the_wait_for_a_machine_that_is_cut_off_has_an_end(world: World) -> None:
    """After an hour it is replaced."""
    launched(world)
    world.step_for(timedelta(minutes=70))

    assert world.record.attempts[0].end_reason is EndReason.LOST
    assert len(world.record.attempts) == 2


def test_a_machine_that_begins_to_fail_its_checks_is_lost_at_once(world: World) -> None:
    """Nothing more will come of it."""
    launched(world)
    world.step_for(timedelta(minutes=20))
    world.cloud.impair(world.machine.id)
    world.step_for(timedelta(minutes=1))

    assert world.record.attempts[0].end_reason is EndReason.LOST


def test_checks_that_are_refused_vouch_for_no_machine(world: World) -> None:
    """Unknown is not healthy: the machine is lost as soon as one that fails them."""
    launched(world)
    world.cloud.fail_next("is_healthy", *[PermissionDenied("ec2:DescribeInstanceStatus is not allowed.")] * 100)
    world.step_for(timedelta(minutes=9))

    assert world.record.attempts[0].end_reason is EndReason.LOST


def test_one_check_that_is_refused_ends_no_machine_that_was_healthy(world: World) -> None:
    """Throttled at minute 20, it goes on waiting; once nobody vouches for it any more, it is lost."""
    launched(world)
    world.step_for(timedelta(minutes=20))
    world.cloud.fail_next("is_healthy", *[RateLimited("Request limit exceeded.")] * 10)
    world.step_for(timedelta(minutes=20))
    assert (len(world.record.attempts), world.machine.alive) == (1, True)

    world.cloud.fail_next("is_healthy", *[RateLimited("Request limit exceeded.")] * 100)
    world.step_for(timedelta(minutes=16))
    assert world.record.attempts[0].end_reason is EndReason.LOST


def test_time_in_which_nobody_looked_takes_nothing_from_a_healthy_machine(world: World) -> None:
    """Healthy at minute 20, throttled at minute 50, and nobody asked in between: that is one refusal."""
    launched(world)
    world.step_for(timedelta(minutes=20))
    world.pass_time(timedelta(minutes=30))
    world.cloud.fail_next("is_healthy", RateLimited("Request limit exceeded."))
    world.step()

    assert (len(world.record.attempts), world.machine.alive) == (1, True)


def test_checks_that_passed_in_an_earlier_silence_vouch_for_nothing(world: World) -> None:
    """It has been heard of since: what is refused now is unknown, and not healthy."""
    launched(world)
    world.step_for(timedelta(minutes=20))
    world.report()
    world.cloud.fail_next("is_healthy", *[PermissionDenied("ec2:DescribeInstanceStatus is not allowed.")] * 100)
    world.step_for(timedelta(minutes=9))

    assert world.record.attempts[0].end_reason is EndReason.LOST


def test_machines_that_never_report_after_one_that_was_lost_are_bought_in_another_region(world: World) -> None:
    """What is down is most often the way of a whole region to the store."""
    launched(world)
    world.report(checkpoint=world.save(1))
    world.step_for(timedelta(minutes=90))

    regions = [attempt.offering.region for attempt in world.record.attempts if attempt.offering]
    assert regions == ["us-east-1", "us-east-1", "us-west-2"]
