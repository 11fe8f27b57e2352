"""The jobs of a teardown are those that were shown; what begins meanwhile goes on."""

from dataclasses import replace
from typing import Any, cast

import pytest

from provisioner.cli.removal import Plan, removed
from provisioner.cli.saving import let_save
from provisioner.cli.selection import Selection
from provisioner.cli.torn import say
from provisioner.domain.jobs import Archive
from provisioner.errors import CloudUnavailable, TeardownIncomplete
from provisioner.jobs.records import prefix
from provisioner.teardown.jobs import Jobs
from tests.jobs.builders import JOB, World, a_record, a_spec, launched

LATER = "20260101-120000-later"


def torn(world: World, jobs: Jobs, **more: Any) -> None:
    plan = Plan(selection=Selection(), jobs=jobs, **more)
    say(cast(Any, world), plan, removed(cast(Any, world), plan), form="table")


def test_a_program_saves_though_a_region_that_the_job_once_tried_is_not_seen() -> None:
    """It runs where somebody can look."""
    world, off = World(), {"eu-west-1": CloudUnavailable("off")}
    launched(world)
    elsewhere = {world.machine.region: CloudUnavailable("off")}
    held = world.records.read(JOB)
    world.records.write(held, replace(held.record, regions_tried=(*held.record.regions_tried, "eu-west-1")))
    jobs = Jobs(world.objects, Selection().of)

    assert [one.id for one in jobs.running(off)] == [JOB]
    assert (jobs.running(elsewhere), jobs.closing(off)[0]) == ([], [])


def test_nobody_waits_for_more_than_the_end_of_each_machine() -> None:
    """Two jobs at the same time; that their identities cannot be removed keeps nothing else waiting."""
    world = World()
    launched(world)
    world.records.create(a_record(id=LATER))
    world.stepper.step(LATER)
    world.cloud.fail_next("remove_identity", *[CloudUnavailable("slow")] * 99)
    jobs = Jobs(world.objects, Selection().of)
    jobs.end(world.clock.now())
    began, pace = world.clock.now(), world.record.spec.pace

    let_save(cast(Any, world), jobs.running({}))

    assert not any(machine.alive for machine in world.cloud.instances)
    assert world.clock.now() - began < pace.stop_grace + 2 * pace.settle


def test_a_job_begun_after_the_plan_is_left_and_neither_stepped_nor_asked_to_end() -> None:
    """Nothing is bought for it, and nobody waits for its end; the job that was shown is closed."""
    world = World()
    launched(world)
    jobs = Jobs(world.objects, Selection().of)
    jobs.end(world.clock.now())
    later = world.records.create(a_record(id=LATER)).record
    with pytest.raises(TeardownIncomplete, match=f"left: job {LATER}"):
        torn(world, jobs)

    assert world.record.ended_at is not None
    assert world.records.read(LATER).record == later
    assert not any(machine.alive for machine in world.cloud.instances)


def test_what_a_job_begun_after_the_plan_keeps_is_not_removed() -> None:
    """No data goes while a job that was not shown needs it; once it is over, the next run forgets all."""
    world = World()
    jobs = Jobs(world.objects, Selection().of)
    world.submit()
    with pytest.raises(TeardownIncomplete, match=f"left: job {JOB}"):
        torn(world, jobs, with_data=True)
    assert list(world.objects.listing(prefix(JOB)))

    again = Jobs(world.objects, Selection().of)
    again.end(world.clock.now())
    torn(world, again, with_data=True)
    assert not [*world.objects.listing("jobs/"), *world.objects.listing("open/")]


def ended_with_folder(world: World, job: str) -> None:
    folder = Archive(key="workdirs/a.tar.gz", sha256="a", bytes=6)
    world.objects.put(folder.key, b"packed")
    world.records.create(a_record(id=job, spec=a_spec(workdir=folder), ended_at=world.clock.now()))


def forgotten(world: World, job: str) -> None:
    Jobs(world.objects, lambda record: record.id == job).forget(everything=False)


def test_a_work_folder_goes_with_the_last_job_that_names_it() -> None:
    """It is one object for all jobs that were started from it."""
    world = World()
    ended_with_folder(world, JOB)
    ended_with_folder(world, LATER)

    forgotten(world, JOB)
    assert world.objects.exists("workdirs/a.tar.gz")
    forgotten(world, LATER)
    assert not [*world.objects.listing("workdirs/"), *world.objects.listing("jobs/")]


def test_a_work_folder_stays_where_nobody_can_tell_whose_it_is() -> None:
    """The record of a newer accelctl may name it."""
    world = World()
    ended_with_folder(world, JOB)
    world.objects.put(f"{prefix(LATER)}record.json", b'{"version": 99}')

    forgotten(world, JOB)
    assert world.objects.exists("workdirs/a.tar.gz")
