"""Any number of processes may step one job at once."""

import random
import threading
import time
from datetime import datetime, timedelta

import pytest

from provisioner.domain.jobs import EndReason, JobState
from provisioner.errors import CloudUnavailable
from provisioner.jobs.records import LostRace
from tests.jobs.builders import JOB, QUICK, World

STEPS = 1000
DISTURBANCES = 150


class Count:
    """How often something happened; written by one thread."""

    value = 0


def leap(world: World, far: timedelta, begun: dict[str, datetime | None], leaping: threading.Event) -> None:
    """Time passes for steps that began just now; nobody begins one meanwhile."""
    leaping.set()
    while any(world.clock.now() + far - at > QUICK.lease / 2 for at in [*begun.values()] if at):
        time.sleep(0)
    world.pass_time(far)
    leaping.clear()


def test_two_steppers_a_thousand_times_never_two_machines() -> None:
    """Two steppers race through launches, losses, interruptions, lost answers, late listings: one machine at most.

    The words of a launch change between two tries, as with a new image: then its token is refused. No step takes
    longer than half a lease: clients give up a call before.
    """
    world = World()
    world.submit(pace=QUICK)
    world.cloud.visible_after = QUICK.settle / 2
    chance = random.Random(20260105)
    failures: list[BaseException] = []
    disturbed = Count()
    begun: dict[str, datetime | None] = dict.fromkeys(("first", "second"))
    leaping = threading.Event()

    def words(boarding: object) -> str:
        return f"{boarding} {chance.choice(['image-1', 'image-2'])}"

    def race(holder: str) -> None:
        stepper, steps = world.another_stepper(holder, words), 0
        while steps < STEPS or disturbed.value < DISTURBANCES:
            steps += 1
            while leaping.is_set():
                time.sleep(0)
            begun[holder] = world.clock.now()
            try:
                stepper.step(JOB)
            except CloudUnavailable:
                continue
            except BaseException as failure:  # noqa: BLE001 - told to the test, whatever it is
                failures.append(failure)
                return
            finally:
                begun[holder] = None

    def disturb() -> None:
        """What the cloud, the machine and time do meanwhile."""
        alive = [instance for instance in world.cloud.instances if instance.alive]
        if alive and chance.random() < 0.2:
            world.cloud.interrupt(alive[0].id)
        for method in ("launch", "terminate"):
            if chance.random() < 0.2:
                world.cloud.fail_next(method, CloudUnavailable("the answer was lost"), after=chance.random() < 0.5)
        if alive and chance.random() < 0.5:
            world.report()
        leap(world, timedelta(seconds=chance.choice([0, 1, 10, 30, 130])), begun, leaping)
        disturbed.value += 1

    steppers = [threading.Thread(target=race, args=[name]) for name in begun]
    for thread in steppers:
        thread.start()
    while any(thread.is_alive() for thread in steppers):
        disturb()
        steppers[0].join(0.001)

    assert not failures
    assert world.cloud.peak[JOB] == 1
    numbers = [attempt.number for attempt in world.record.attempts]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 3


def test_no_update_is_lost_under_a_racing_schedule() -> None:
    """Every write that was accepted is in the record's history: the revision counts them all."""
    world = World()
    world.submit()
    accepted: list[int] = []
    guard = threading.Lock()

    def write() -> None:
        for _ in range(200):
            held = world.records.read(JOB)
            try:
                world.records.write(held, held.record)
            except LostRace:
                continue
            with guard:
                accepted.append(1)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert world.record.revision == len(accepted)


@pytest.mark.parametrize("mutant", ["no token", "no intent"])
def test_the_race_is_lost_without_token_or_intent(mutant: str) -> None:
    """A cloud that ignores tokens, or a record that does not remember them, buys twice: the test above can fail."""
    from dataclasses import replace

    world = World()
    world.submit(pace=QUICK)
    world.cloud.fail_next("launch", CloudUnavailable("lost"), after=True)
    if mutant == "no token":
        world.cloud.traits = replace(world.cloud.traits, idempotent_launch=False)
    with pytest.raises(CloudUnavailable):
        world.step()
    if mutant == "no intent":
        held = world.records.read(JOB)
        world.records.write(held, replace(held.record, attempts=(), lease=None))
    world.cloud.visible_after = timedelta(hours=1)
    world.step()

    assert world.cloud.peak[JOB] == 2


def test_the_job_still_ends_right_after_a_race() -> None:
    """Whatever raced before, the program's end is the job's end."""
    world = World()
    world.submit(pace=QUICK)
    for _ in range(5):
        world.step()
        world.another_stepper("second").step(JOB)
    world.report_end(EndReason.FINISHED)
    world.pass_time(timedelta(minutes=3))
    world.another_stepper("second").step(JOB)

    assert world.record.state is JobState.SUCCEEDED
