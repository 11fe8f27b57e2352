"""What a job has cost and used, however late somebody looks."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from provisioner.domain.jobs import EndReason, JobState
from provisioner.domain.offerings import Offering, Requirements, fits
from provisioner.jobs.accounts import Accounts
from tests.jobs.builders import TARIFF, World, launched, pool

DAYS_LATER = timedelta(days=3)


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_that_finished_long_ago_is_not_charged_until_today(world: World) -> None:
    """Stepped days later, when the cloud has forgotten the machine, the job has still ended when it said so."""
    launched(world)
    world.pass_time(timedelta(minutes=30))
    world.report_end(EndReason.FINISHED)
    world.cloud.lose(world.machine.id)
    world.pass_time(DAYS_LATER)
    world.step()

    attempt = world.attempt
    assert world.record.state is JobState.SUCCEEDED
    assert attempt.launched_at is not None
    assert attempt.ended_at is not None
    assert timedelta(minutes=30) < attempt.ended_at - attempt.launched_at < timedelta(minutes=32)


def test_a_machine_lost_unseen_is_counted_until_it_was_silent_for_too_long(world: World) -> None:
    """Neither its time nor its lost work grows with the days that nobody looked, and the job goes on."""
    launched(world, max_duration=timedelta(hours=24))
    world.pass_time(timedelta(minutes=10))
    world.report(checkpoint=world.save(1))
    world.cloud.lose(world.machine.id)
    world.pass_time(DAYS_LATER)
    world.step()

    first = world.record.attempts[0]
    assert first.work_lost == timedelta(minutes=5)
    assert first.cost is not None
    assert first.cost.machine is not None
    assert first.cost.machine < Decimal(5)
    assert (len(world.record.attempts), world.record.outcome) == (2, None)


def test_a_machine_that_nobody_heard_of_ends_at_its_deadline(world: World) -> None:
    """It turns itself off then, whoever looks."""
    world.submit(max_duration=timedelta(hours=2))
    world.step()
    world.cloud.lose(world.machine.id)
    world.pass_time(DAYS_LATER)
    world.step()

    first = world.record.attempts[0]
    assert first.launched_at is not None
    assert first.ended_at == first.launched_at + timedelta(hours=2)


def test_the_budgets_deadline_counts_the_disk_and_what_is_moved(world: World) -> None:
    """Otherwise a job that has saved much would be over its budget before its machine stops."""
    world.submit(budget=Decimal(20), disk_gib=10_000)
    world.step()
    with_a_large_disk = world.attempt.deadline
    other = World()
    other.submit(budget=Decimal(20), disk_gib=10)
    other.step()

    assert with_a_large_disk is not None
    assert other.attempt.deadline is not None
    assert with_a_large_disk < other.attempt.deadline


def test_what_the_running_machine_has_moved_counts_against_the_budget(world: World) -> None:
    """A gateway charges by the GiB: a report of many of them ends the job."""
    for zone in ("us-east-1a", "us-east-1b", "us-east-1c"):
        world.cloud.set_capacity(pool(zone), 0)
    launched(world, budget=Decimal(20))
    world.pass_time(timedelta(seconds=10))
    world.report(sent_bytes=10_000 * 1024**3)
    world.step()

    assert world.record.orders.reason == "over-budget"


def test_on_demand_nobody_would_have_paid_for_work_done_twice(world: World) -> None:
    """The comparison is one machine that is not interrupted: more interruptions never look like more saved."""
    launched(world)
    world.pass_time(timedelta(minutes=20))
    world.report(checkpoint=world.save(1))
    world.pass_time(timedelta(minutes=10))
    world.report(started_at=world.attempt.bought_at)
    world.cloud.interrupt(world.machine.id)
    world.step()
    world.pass_time(timedelta(minutes=5))
    world.report(started_at=world.clock.now())
    world.step()
    world.pass_time(timedelta(minutes=30))
    world.report_end(EndReason.FINISHED, started_at=world.clock.now() - timedelta(minutes=30))
    world.step()

    hours = [(attempt.cost.on_demand or 0) / Decimal("21.957642") for attempt in world.record.attempts if attempt.cost]
    assert [round(one * 60) for one in hours] == [20, 30]


def test_a_machine_whose_clock_is_behind_hides_no_start(world: World) -> None:
    """What the second start took counts by the machine's own clock at the least, and is not paid for on demand."""
    launched(world)
    world.cloud.interrupt(world.machine.id)
    world.step()
    world.pass_time(timedelta(minutes=5))
    behind = world.clock.now() - timedelta(hours=1)
    own: dict[str, Any] = {"booted_at": behind - timedelta(minutes=4), "started_at": behind}
    world.report(at=behind, **own)
    world.step()
    world.pass_time(timedelta(minutes=10))
    world.report_end(EndReason.FINISHED, **own)
    world.step()

    assert world.attempt.cost is not None
    assert world.attempt.cost.on_demand == pytest.approx(Decimal("21.957642") * 11 / 60)


def test_a_short_job_is_compared_with_the_least_that_on_demand_bills(world: World) -> None:
    """A minute for the whole job, however often it was interrupted."""
    launched(world)
    world.pass_time(timedelta(seconds=10))
    world.cloud.interrupt(world.machine.id)
    world.step()
    world.pass_time(timedelta(seconds=10))
    world.report(started_at=world.clock.now())
    world.pass_time(timedelta(seconds=10))
    world.report_end(EndReason.FINISHED, started_at=world.clock.now() - timedelta(seconds=10))
    world.step()

    total = Accounts(cloud=world.cloud, tariff=TARIFF).total(world.record, None, world.clock.now())
    assert len(world.record.attempts) == 2
    assert round(total.on_demand or 0, 6) == Decimal("0.365961")


@pytest.mark.parametrize("limit", ["budget", "max_duration"])
def test_no_machine_is_bought_for_what_only_pays_for_its_start(world: World, limit: str) -> None:
    """The rest of a budget or of the time buys no work: the job ends, and says so, before another machine is paid."""
    few = {"budget": Decimal("12.05"), "max_duration": timedelta(hours=2, seconds=20)}
    launched(world, **{limit: few[limit]})
    world.report(started_at=world.clock.now())
    world.step()
    world.pass_time(timedelta(hours=1, minutes=59, seconds=30))
    world.report(started_at=world.clock.now() - timedelta(hours=1, minutes=59, seconds=30))
    world.cloud.interrupt(world.machine.id)
    world.step()

    assert (world.record.state, len(world.cloud.instances)) == (JobState.FAILED, 1)
    assert world.record.outcome is not None
    assert "no work can be done in that" in world.record.outcome.message


@pytest.mark.parametrize("left", [timedelta(minutes=10), timedelta(minutes=12)])
def test_the_boot_is_part_of_another_start(world: World, left: timedelta) -> None:
    """Ten minutes of it and one of restoring: what is left pays for no work before eleven minutes are over."""
    world.submit(max_duration=timedelta(hours=2))
    world.step()
    bought = world.attempt.bought_at or world.clock.now()
    began = bought + timedelta(minutes=10)
    world.pass_time(timedelta(minutes=11))
    world.report(booted_at=began, started_at=began + timedelta(minutes=1))
    world.step()
    world.pass_time(timedelta(hours=2) - timedelta(minutes=11) - left)
    world.report(booted_at=began, started_at=began + timedelta(minutes=1))
    world.cloud.interrupt(world.machine.id)
    world.step()

    assert len(world.cloud.instances) == (1 if left < timedelta(minutes=11) else 2)


def test_a_clock_that_is_ahead_makes_no_start_longer_than_it_was(world: World) -> None:
    """The machine's clock is hours off: that takes no time from the job."""
    world.submit(max_duration=timedelta(hours=3))
    world.step()
    world.pass_time(timedelta(seconds=30))
    ahead = world.clock.now() + timedelta(hours=5)
    world.report(at=ahead, booted_at=ahead, started_at=ahead)
    world.step()
    world.pass_time(timedelta(minutes=1))
    world.cloud.interrupt(world.machine.id)
    world.step()

    assert len(world.cloud.instances) == 2


def test_a_budget_refuses_a_machine_whose_price_is_unknown(world: World) -> None:
    """It could not be kept."""
    offering = world.cloud.offerings(Requirements(instance_types=("p4d.24xlarge",)))[0]
    unknown = Offering(
        cloud="fake", region=offering.region, zone=offering.zone, instance_type=offering.instance_type,
        capacity_type=offering.capacity_type, price_per_hour=None, on_demand_per_hour=None, way=offering.way,
    )  # fmt: skip

    wanted = Requirements(instance_types=("p4d.24xlarge",))
    limited = Requirements(instance_types=("p4d.24xlarge",), known_price=True)
    assert (fits(unknown, wanted), fits(unknown, limited), fits(offering, limited)) == (True, False, True)


def test_the_budget_stops_the_job_and_keeps_the_checkpoint(world: World) -> None:
    """Once the budget is spent the machine is told to save and stop; exit 6."""
    launched(world, budget=Decimal("1.00"))
    world.report(checkpoint=world.save(1))
    world.pass_time(timedelta(minutes=11))
    world.report()
    world.step()
    assert world.record.orders.reason == "over-budget"

    world.report_end(EndReason.OVER_BUDGET)
    world.step()

    assert world.record.outcome is not None
    assert (world.record.outcome.exit_code, world.record.checkpoint is not None) == (6, True)


def test_a_price_that_rises_brings_the_machines_own_deadline_forward(world: World) -> None:
    """With a budget the machine is told a new end, so that it keeps to it with nobody looking."""
    launched(world, budget=Decimal("20.00"))
    offering = world.attempt.offering
    assert offering is not None
    world.cloud.set_price(offering.pool, Decimal("40.00"))
    before = world.record.orders.deadline
    world.pass_time(timedelta(seconds=10))
    world.step()
    brought_forward = world.record.orders.deadline
    world.cloud.set_price(offering.pool, Decimal("1.00"))
    world.pass_time(timedelta(seconds=10))
    world.step()

    assert before is not None
    assert brought_forward is not None
    assert timedelta(minutes=25) < brought_forward - world.clock.now() < timedelta(minutes=30)
    assert brought_forward < (world.attempt.deadline or brought_forward) <= before
    assert world.record.orders.deadline == world.attempt.deadline


def test_time_is_counted_over_all_attempts(world: World) -> None:
    """--max-duration is machine time: what earlier attempts used is not given to later ones."""
    launched(world, max_duration=timedelta(hours=3))
    world.pass_time(timedelta(hours=2))
    world.cloud.interrupt(world.machine.id)
    world.step()

    assert world.attempt.deadline is not None
    assert world.attempt.deadline - world.clock.now() < timedelta(hours=1)
