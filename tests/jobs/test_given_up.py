"""A machine that was taken for lost, and that nobody could end at once."""

from datetime import timedelta

import pytest

from provisioner.domain.jobs import EndReason, JobState
from provisioner.errors import CloudUnavailable
from tests.jobs.builders import World, launched


@pytest.fixture
def world() -> World:
    return World()


def given_up(world: World) -> None:
    """The machine fell silent; the call that should end it was refused."""
    launched(world)
    world.cloud.impair(world.machine.id)
    world.pass_time(timedelta(minutes=6))
    world.step()
    world.pass_time(timedelta(minutes=2))
    world.cloud.fail_next("terminate", CloudUnavailable("busy"))
    with pytest.raises(CloudUnavailable):
        world.step()


def test_a_machine_that_was_to_be_ended_is_ended_though_it_is_heard_again(world: World) -> None:
    """Its end was written down first: the call is made again, by whoever steps next."""
    given_up(world)
    world.report()
    world.step()

    assert [instance.alive for instance in world.cloud.instances] == [False, True]
    assert [attempt.end_reason for attempt in world.record.attempts] == [EndReason.LOST, None]


def test_what_a_machine_finished_counts_although_it_was_given_up(world: World) -> None:
    """It went home by itself after its work was done: nothing is bought to do it again."""
    given_up(world)
    world.report_end(EndReason.FINISHED)
    world.cloud.shut_down(world.machine.id)
    world.step()

    assert (world.record.state, len(world.cloud.instances)) == (JobState.SUCCEEDED, 1)
