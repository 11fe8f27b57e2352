"""The jobs of a teardown are those that were shown; what begins meanwhile goes on."""

from typing import Any, cast

import pytest

from provisioner.cli.commands.teardown import remove
from provisioner.cli.selection import Selection
from provisioner.cli.stays import Stays
from provisioner.domain.jobs import Archive
from provisioner.errors import TeardownIncomplete
from provisioner.jobs.records import prefix
from provisioner.teardown.jobs import Jobs
from tests.jobs.builders import JOB, World, a_record, a_spec, launched

LATER = "20260101-120000-later"


def torn(world: World, jobs: Jobs, **more: Any) -> None:
    remove(cast(Any, world), Selection(), jobs, form="table", stays=Stays(stacks={}), **{"with_data": False} | more)


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
