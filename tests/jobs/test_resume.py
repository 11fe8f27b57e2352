"""A job that ended before its program did goes on from its checkpoint."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from provisioner.domain.jobs import EndReason, JobRecord, JobState
from provisioner.errors import ConfigError
from provisioner.jobs import names
from provisioner.jobs.buying import spent_on_ended
from provisioner.jobs.outcomes import time_used
from provisioner.jobs.records import LostRace
from provisioner.jobs.resume import Allowance, refuse_useless, resume, resumed
from tests.jobs.builders import JOB, TARIFF, World, launched

HOUR = timedelta(hours=1)
MORE = Allowance(max_duration=HOUR, budget=None, max_restarts=0)


@pytest.fixture
def world() -> World:
    return World()


def go_on(world: World, allowance: Allowance = MORE, spent: Decimal | None = None) -> JobRecord:
    held = world.records.read(JOB)
    return resume(world.objects, held, resumed(held.record, allowance, spent))


def ran_out(world: World) -> None:
    """A job whose hour is over, with a checkpoint saved."""
    launched(world, max_duration=HOUR)
    world.report(checkpoint=world.save(1))
    world.step()
    world.pass_time(HOUR)
    world.report_end(EndReason.OVER_TIME)
    world.step()
    assert (world.record.state, list(world.records.open())) == (JobState.FAILED, [])


def test_a_job_that_ran_out_of_time_goes_on_with_an_hour_of_its_own(world: World) -> None:
    """Another attempt from the checkpoint; what ended it before ends it no more."""
    ran_out(world)
    go_on(world)
    world.step()

    assert [record.id for record in world.records.open()] == [JOB]
    assert len(world.record.attempts) == 2
    assert world.record.checkpoint is not None
    assert world.record.spec.max_duration == time_used(world.record) + HOUR
    world.report_end(EndReason.FINISHED)
    world.step()
    assert (world.record.state, list(world.records.open())) == (JobState.SUCCEEDED, [])


def test_a_failed_program_may_fail_once_more(world: World) -> None:
    """The failures of before the resumption are not counted again."""
    launched(world)
    world.report_end(EndReason.FAILED, exit_code=3)
    world.step()
    go_on(world)
    world.step()
    assert world.machine.alive
    world.report_end(EndReason.FAILED, exit_code=3)
    world.step()

    assert (world.record.state, len(world.record.attempts)) == (JobState.FAILED, 2)


def test_what_was_spent_does_not_count_against_the_new_budget(world: World) -> None:
    """The limit in the record is of the whole job: what was spent, and what may be spent from now on."""
    ran_out(world)
    record = resumed(world.record, Allowance(max_duration=HOUR, budget=Decimal(10), max_restarts=0), Decimal(7))

    assert record.spec.budget == 17


@pytest.mark.parametrize(
    ("limits", "flag"),
    [({"budget": Decimal("0.0001")}, "--budget"), ({"max_duration": timedelta(0)}, "--max-duration")],
)
def test_an_allowance_that_pays_for_no_work_is_refused_and_the_job_stays_as_it_is(
    world: World, limits: dict[str, Any], flag: str
) -> None:
    """Accepted, it would end the job once more with nothing done."""
    ran_out(world)
    little = replace(MORE, **limits)
    record = resumed(world.record, little, spent_on_ended(world.record))

    with pytest.raises(ConfigError, match=flag) as refused:
        refuse_useless(record, world.attempt.offerings[0], TARIFF, world.clock.now())
    assert f"resume {JOB} {flag}" in refused.value.hint


def test_a_job_that_was_asked_for_without_a_budget_goes_on_without_one(world: World) -> None:
    """A resume's budget is its own: the next one begins with new limits."""
    ran_out(world)
    again = resumed(world.record, replace(MORE, budget=Decimal(10)), Decimal(7))
    ended = replace(again, ended_at=world.clock.now(), state=JobState.FAILED)

    assert resumed(ended, MORE, Decimal(9)).spec.budget is None


@pytest.mark.parametrize("reason", [EndReason.FINISHED, None])
def test_a_finished_or_an_active_job_is_not_resumed(world: World, reason: EndReason | None) -> None:
    """There is nothing to continue."""
    launched(world)
    if reason:
        world.report_end(reason)
        world.step()

    with pytest.raises(ConfigError):
        go_on(world)


def test_a_name_that_another_job_has_by_now_is_not_taken_from_it(world: World) -> None:
    """One active job for each chosen name."""
    ran_out(world)
    assert names.claim(world.objects, world.record.spec.name, "another") == "another"
    world.records.create(_named(world.record, "another"))

    with pytest.raises(ConfigError, match="another"):
        go_on(world)


def test_two_who_resume_it_at_once_resume_it_once(world: World) -> None:
    """The second one is told."""
    ran_out(world)
    held = world.records.read(JOB)
    record = resumed(held.record, MORE, None)
    resume(world.objects, held, record)

    with pytest.raises((ConfigError, LostRace)):
        resume(world.objects, held, record)


def _named(record: JobRecord, job: str) -> JobRecord:
    return replace(record, id=job, ended_at=None, outcome=None)
