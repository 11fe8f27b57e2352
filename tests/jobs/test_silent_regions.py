"""A region whose API does not answer stops nothing that has to do with other regions."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from provisioner.clock import ManualClock
from provisioner.domain.jobs import AttemptState, EndReason, JobState
from provisioner.errors import CloudUnavailable
from provisioner.jobs.accounts import Accounts
from provisioner.jobs.observing import Observer
from provisioner.jobs.progress import Progress
from tests.jobs.builders import JOB, TARIFF, World, launched


@pytest.fixture
def world() -> World:
    return World()


def test_a_silent_region_is_a_refusal_and_the_machine_is_bought_elsewhere(world: World) -> None:
    """It is named among the refusals, and asked again once those are forgotten."""
    world.cloud.down = {"us-east-1"}
    launched(world)

    assert world.machine.region == "us-west-2"
    row = next(row for row in world.record.refusals if row.region == "us-east-1")
    assert (row.zone, row.until is not None) == ("", True)
    assert "does not answer" in row.message


def test_a_job_moves_away_from_the_region_that_went_down_with_its_machine(world: World) -> None:
    """The machine was seen to end; that its region then falls silent keeps nothing from being bought elsewhere."""
    launched(world)
    world.cloud.interrupt(world.machine.id)
    while world.record.attempts[0].end_reason is None:
        world.cloud.fail_next("offerings", CloudUnavailable("not now"))
        with pytest.raises(CloudUnavailable):
            world.step()
    world.cloud.down = {"us-east-1"}
    world.step()

    assert world.record.attempts[0].end_reason is EndReason.INTERRUPTED
    assert world.machine.region == "us-west-2"
    asked = world.cloud.calls["list_owned"]
    world.step()
    assert world.cloud.calls["list_owned"] == asked + 1, "the silent one is left alone for minutes"


def test_a_silent_region_with_the_machine_in_it_lets_nothing_be_bought(world: World) -> None:
    """It may still run there."""
    launched(world)
    world.cloud.down = {world.machine.region}

    with pytest.raises(CloudUnavailable):
        world.step()
    assert len(world.cloud.instances) == 1


class Ticking(ManualClock):
    """As wall clocks do, it never says the same time twice."""

    def now(self) -> datetime:
        self.advance(timedelta(microseconds=1))
        return super().now()


def test_a_region_that_answers_is_looked_at_however_little_time_passes(world: World) -> None:
    """Nothing of the job is needed there any more: a machine that is there all the same is found."""
    launched(world)
    ended = replace(world.attempt, state=AttemptState.ENDED)
    record = replace(world.record, attempts=(ended,))
    observer = Observer(
        cloud=world.cloud, progress=Progress(world.objects), accounts=Accounts(cloud=world.cloud, tariff=TARIFF),
        clock=Ticking(world.clock.now()),
    )  # fmt: skip

    assert [one.id for one in observer.observe(record).instances] == [world.machine.id]


def test_all_regions_silent_is_an_error(world: World) -> None:
    """The intent stands; the next step asks again."""
    world.submit()
    world.cloud.down = {"us-east-1", "us-west-2"}

    with pytest.raises(CloudUnavailable):
        world.step()


def test_a_job_is_cleaned_away_while_a_region_is_down_that_it_never_asked(world: World) -> None:
    """Nothing of it can be there. A region that was asked is waited for."""
    launched(world)
    world.report_end(EndReason.FINISHED)
    world.step()
    world.cloud.down = {"us-west-2"}
    world.pass_time(timedelta(minutes=1))

    world.step()
    assert world.record.state is JobState.SUCCEEDED


def test_a_job_stays_open_while_a_region_is_down_that_it_asked(world: World) -> None:
    """Something of it may be there."""
    launched(world)
    world.cloud.interrupt(world.machine.id)
    world.step()
    world.cloud.down = {"us-east-1"}
    world.report_end(EndReason.FINISHED)
    for _ in range(3):
        world.pass_time(timedelta(minutes=1))
        with pytest.raises(CloudUnavailable):
            world.step()
    world.cloud.down = set()
    world.step()

    assert world.records.read(JOB).record.state is JobState.SUCCEEDED
