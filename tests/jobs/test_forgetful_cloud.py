"""What a cloud forgets soon after a machine's end, the job has asked for in time, or asks for in another way."""

from datetime import timedelta

import pytest

from provisioner.domain.jobs import EndReason
from tests.jobs.builders import JOB, World, launched


@pytest.fixture
def world() -> World:
    return World()


def test_an_interruption_that_is_seen_late_is_one(world: World) -> None:
    """The cloud has forgotten the labels of the machine that ended by then, and still tells how."""
    launched(world)
    world.cloud.interrupt(world.machine.id)
    world.pass_time(timedelta(minutes=30))
    world.step()

    first = world.record.attempts[0]
    assert first.end_reason is EndReason.INTERRUPTED
    assert first.cost is not None
    assert first.cost.machine == 0


def test_the_console_is_read_before_the_machine_that_never_reported_is_ended(world: World) -> None:
    """The boot wait is bounded. Later the cloud may have forgotten; what is known is not asked for again."""
    world.submit()
    world.step()
    world.cloud.say(world.machine.id, "kernel panic")
    world.cloud.dies_in = timedelta(minutes=1)
    world.pass_time(timedelta(minutes=16))
    world.step()
    world.cloud.say(world.machine.id, "")
    world.pass_time(timedelta(minutes=2))
    world.step()

    assert world.record.attempts[0].end_reason is EndReason.BOOT_TIMEOUT
    assert world.objects.get(f"jobs/{JOB}/attempts/1/console.log") == b"kernel panic"
    assert "kernel panic" in world.record.attempts[0].message
