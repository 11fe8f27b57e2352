"""The last lines of a job, and what it has cost so far."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from provisioner.cli.carrying import ended
from provisioner.cli.output import OutputFormat
from provisioner.cli.summary import summary
from provisioner.domain.jobs import Archive, Cost, EndReason
from provisioner.errors import CloudUnavailable, RateLimited
from provisioner.jobs.objects import Objects, Stored
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import prefix
from provisioner.workplace import Workplace
from tests.jobs.builders import JOB, START, TARIFF, World, a_record, a_spec, launched

FREE = Cost(machine=Decimal(0), disk=Decimal(0), network=Decimal(0), store=Decimal(0), on_demand=Decimal(0))


def test_what_stays_in_the_store_is_told_with_its_price_and_the_way_out() -> None:
    """Storage goes on costing after the end, until somebody removes it."""
    kept = 200 * 1024**3
    *_, running, stays = summary(a_record(ended_at=START), FREE, kept, TARIFF)
    assert running == "nothing is left running"
    assert stays == f"kept in the store: 200.0 GiB, $4.60 a month; 'accelctl teardown {JOB} --with-data' removes it"


def test_all_that_is_under_the_jobs_name_counts_and_its_work_folder() -> None:
    """What was sent for it, what its machines saved and said, and nothing of another job."""
    world = World()
    for key, content in (("blobs/a", b"12345"), ("checkpoints/00000001.json", b"{}")):
        world.objects.put(prefix(JOB) + key, content)
    world.objects.put(prefix("20260105-120000-other") + "blobs/b", b"1234567")
    sent = a_spec(workdir=Archive(key="workdirs/a.tar.gz", sha256="a", bytes=30))
    assert Progress(world.objects).kept_bytes(a_record(spec=sent)) == 37


def test_of_a_machine_that_went_before_its_program_began_no_work_is_lost() -> None:
    """Not even an unknown amount."""
    world = World()
    launched(world)
    attempt = replace(world.attempt, end_reason=EndReason.INTERRUPTED, took_to_start=None)
    told = [*summary(a_record(attempts=(attempt,)), FREE, 0, TARIFF)]

    assert "    attempt 1         taken back in us-east-1a before the program began" in told


class Unlisted(Objects):
    """A store that reads and writes, and lists nothing."""

    def listing(self, prefix: str) -> Iterator[Stored]:
        raise CloudUnavailable(f"{prefix} cannot be listed.")


def place_of(world: World) -> Workplace:
    place: Any = Workplace()
    place.cloud, place.objects, place.clock = world.cloud, Unlisted(world.store, name="memory"), world.clock
    return place


def test_a_job_that_succeeded_is_told_as_such_although_its_size_is_not_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit code is the job's: no figure of the summary decides it."""
    world = World()
    launched(world)
    world.report_end(EndReason.FINISHED)
    world.step()

    assert ended(place_of(world), world.record, OutputFormat.TABLE) == 0
    assert f"({JOB}) succeeded" in (said := capsys.readouterr().out)
    assert "kept in the store: how much is not known" in said


def test_a_price_that_is_refused_makes_the_cost_unknown_and_shows_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    """With --detach its machine runs: its id is printed; `status` shows it among all others."""
    world = World()
    launched(world)
    world.cloud.fail_next("price_history", RateLimited("slow down"), RateLimited("slow down"))
    place = place_of(world)

    cost = place.cost_so_far(world.record)
    assert (cost.paid, cost.machine) == (None, None)
    assert ended(place, world.record, OutputFormat.TABLE) == 0
    assert capsys.readouterr().out.strip() == JOB
