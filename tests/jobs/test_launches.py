"""Launches whose answer is late, lost or no: nothing is bought twice, nothing waits for ever, nobody's job is ended."""

import contextlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from provisioner.domain.instances import EndCause
from provisioner.domain.jobs import AttemptState, EndReason, JobState
from provisioner.domain.reports import Phase
from provisioner.errors import (
    CloudUnavailable,
    ConfigError,
    CredentialsRefused,
    InsufficientCapacity,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TokenReused,
)
from provisioner.jobs.boarding import boarding_pass
from tests.jobs.builders import QUICK, START, World, all_pools, launched


@pytest.fixture
def world() -> World:
    return World()


def unanswered(world: World, *, after: bool = False, **changes: object) -> None:
    """A launch of which the process heard nothing; `after`: it took effect."""
    world.submit(**changes)
    world.cloud.fail_next("launch", CloudUnavailable("gone"), after=after)
    with pytest.raises(CloudUnavailable):
        world.step()


def test_what_was_bought_unheard_is_taken_over_without_another_call(world: World) -> None:
    """Also when it has ended meanwhile: it is closed with its cost, and the job goes on."""
    unanswered(world, after=True)
    world.pass_time(timedelta(minutes=13))
    world.cloud.interrupt(world.machine.id)
    world.pass_time(timedelta(minutes=2))
    world.step()

    first = world.record.attempts[0]
    assert (first.end_reason, first.cost is not None) == (EndReason.INTERRUPTED, True)
    assert (len(world.record.attempts), world.cloud.calls["launch"]) == (2, 2)


def test_a_launch_that_nobody_answered_is_given_up_and_asked_anew(world: World) -> None:
    """After a night's sleep the machine has its whole time ahead of it, and not a deadline of yesterday."""
    unanswered(world, max_duration=timedelta(hours=1))
    world.pass_time(timedelta(hours=8))
    world.step()

    assert world.attempt.state is AttemptState.BOOTING
    assert world.attempt.deadline == world.clock.now() + timedelta(hours=1)


def test_a_cloud_that_only_throttles_ends_with_the_wait(world: World) -> None:
    """--max-wait holds also where the answer is always to slow down."""
    world.submit(max_wait=timedelta(hours=1))
    world.cloud.fail_next("launch", *[RateLimited("slow down")] * 1000)
    while world.record.ended_at is None and world.clock.now() < START + timedelta(hours=6):
        with contextlib.suppress(RateLimited):
            world.step()
        world.pass_time(timedelta(minutes=1))

    assert world.record.state is JobState.FAILED
    assert world.record.outcome is not None
    assert (world.record.outcome.exit_code, "no-answer" in world.record.outcome.message) == (4, True)


def test_a_late_launch_is_found_where_it_was_asked_for(world: World) -> None:
    """Given up in one region, bought in another: the late machine is no attempt's, and goes."""
    unanswered(world, regions=("us-west-2",), after=True)
    late = world.machine.id
    world.cloud.visible_after = timedelta(minutes=20)
    world.pass_time(timedelta(minutes=16))
    world.step()
    world.pass_time(timedelta(minutes=5))
    world.report()
    world.step()

    assert late not in {instance.id for instance in world.cloud.instances if instance.alive}
    assert world.record.orders.token == world.attempt.token


def test_a_place_that_is_no_longer_prepared_ends_no_job_that_has_run(world: World) -> None:
    """Its region is left alone for some minutes: the next machine is bought in another."""
    launched(world)
    world.cloud.interrupt(world.machine.id)
    world.cloud.fail_next("launch", ConfigError("region: us-east-1 is not prepared."))
    world.step()

    assert world.record.outcome is None
    assert world.attempt.offering is not None
    assert world.attempt.offering.region == "us-west-2"
    assert "not prepared" in world.record.refusals[-1].message


def test_a_mistake_ends_the_job_at_its_first_launch(world: World) -> None:
    """Nothing has run: whoever asked is told at once."""
    world.submit()
    world.cloud.fail_next("launch", ConfigError("region: us-east-1 is not prepared."))
    world.step()

    assert world.record.outcome is not None
    assert world.record.outcome.exit_code == 2


REUSED = TokenReused("other words", code="IdempotentParameterMismatch")


def test_a_token_that_was_used_with_other_words_leads_to_what_it_bought(world: World) -> None:
    """A new image between two tries is no end of the job: the machine is adopted."""
    unanswered(world, after=True)
    world.cloud.fail_next("launch", REUSED)
    world.step()

    assert [instance.id for instance in world.cloud.instances] == [node.instance_id for node in world.attempt.nodes]


def test_a_token_that_bought_nothing_is_given_up_once_the_cloud_would_list_it(world: World) -> None:
    """However long ago the intent was: then the job is bought a machine under a new token."""
    unanswered(world)
    world.cloud.fail_next("launch", REUSED, REUSED)
    world.pass_time(timedelta(minutes=5))
    with pytest.raises(CloudUnavailable):
        world.step()
    world.pass_time(timedelta(seconds=61))
    world.step()

    assert [instance.id for instance in world.cloud.instances] == [node.instance_id for node in world.attempt.nodes]
    assert world.attempt.token.endswith("-1-2")


def test_a_reused_token_whose_machine_is_listed_late_buys_no_second_one(world: World) -> None:
    """The listing lags behind the purchase: one machine at most."""
    unanswered(world)
    world.pass_time(timedelta(minutes=5))
    world.cloud.visible_after = timedelta(seconds=20)
    world.cloud.fail_next("launch", CloudUnavailable("gone"), after=True)
    with pytest.raises(CloudUnavailable):
        world.step()
    world.cloud.fail_next("launch", REUSED)
    with pytest.raises(CloudUnavailable):
        world.step()
    world.pass_time(timedelta(seconds=25))
    world.step()

    assert world.cloud.peak[world.record.id] == 1
    assert (len(world.attempt.nodes), world.attempt.unlisted_since) == (1, None)


def test_what_the_very_first_launch_bought_late_does_not_wait_for_the_next_try(world: World) -> None:
    """The launch was given up and nothing else is sold: its machine goes as soon as it is listed."""
    unanswered(world, after=True, max_wait=timedelta(hours=6))
    world.cloud.visible_after = timedelta(minutes=17)
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.pass_time(timedelta(minutes=16))
    world.step()
    world.pass_time(timedelta(minutes=2))
    assert world.record.next_try_at is not None
    assert world.record.next_try_at > world.clock.now()
    world.step()

    assert not world.machine.alive


def test_nothing_is_bought_while_a_machine_of_the_job_is_on_its_way_out(world: World) -> None:
    """A late machine that shows up between the intent and the call ends first."""
    unanswered(world, after=True)
    world.cloud.visible_after = timedelta(minutes=17)
    world.cloud.dies_in = timedelta(minutes=1)
    world.pass_time(timedelta(minutes=16))
    world.cloud.fail_next("launch", CloudUnavailable("gone"))
    with pytest.raises(CloudUnavailable):
        world.step()
    world.pass_time(timedelta(minutes=1))
    world.step()
    assert len(world.cloud.instances) == 1

    world.pass_time(timedelta(minutes=2))
    world.step()

    assert (world.cloud.peak[world.record.id], world.attempt.state) == (1, AttemptState.BOOTING)


def test_a_report_of_another_machine_is_nobodys(world: World) -> None:
    """A launch that was given up may have had the same number."""
    unanswered(world, after=True)
    late = world.machine.id
    world.report(instance_id=late, phase=Phase.RUN)
    world.cloud.lose(late)
    world.pass_time(timedelta(minutes=30))
    world.step()
    world.pass_time(timedelta(minutes=1))
    world.step()

    assert world.attempt.state is AttemptState.BOOTING
    assert world.attempt.end_reason is None


@pytest.mark.parametrize("refusal", [PermissionDenied("no"), CredentialsRefused("expired")])
def test_whoever_may_not_step_ends_no_job(world: World, refusal: Exception) -> None:
    """`accelctl status` of a colleague without the right to launch leaves an interrupted job as it is."""
    launched(world)
    world.cloud.interrupt(world.machine.id)
    world.pass_time(timedelta(minutes=5))
    world.cloud.fail_next("launch", refusal)  # type: ignore[arg-type]
    with pytest.raises(type(refusal)):
        world.step()
    assert world.record.outcome is None

    world.another_stepper("first").step(world.record.id)

    assert world.attempt.state is AttemptState.BOOTING
    assert len(world.record.attempts) == 2


def test_whoever_may_not_repeat_the_very_first_launch_ends_no_job(world: World) -> None:
    """It was throttled for who started the job; a colleague's `accelctl status` repeats the call, and may not."""
    world.submit()
    world.cloud.fail_next("launch", RateLimited("slow down"), *[PermissionDenied("no")] * 2)
    with pytest.raises(RateLimited):
        world.step()
    world.pass_time(timedelta(minutes=2))
    colleague = world.another_stepper("colleague")
    for _ in range(2):
        with pytest.raises(PermissionDenied):
            colleague.step(world.record.id)
    world.pass_time(timedelta(minutes=2))
    world.step()

    assert (world.record.outcome, world.attempt.state) == (None, AttemptState.BOOTING)


@pytest.mark.parametrize(
    ("message", "outcome"), [("Client.InternalError: Client error on launch", "were not started"), ("", "no capacity")]
)
def test_machines_that_fail_at_once_are_not_bought_for_ever(world: World, message: str, outcome: str) -> None:
    """A fault of the account ends the job after three of them; a lack of machines with --max-wait."""
    world.submit(max_wait=timedelta(minutes=10))
    while world.record.ended_at is None and world.clock.now() < START + timedelta(hours=3):
        world.step()
        for instance in world.cloud.instances:
            if instance.alive:
                world.cloud.end(instance.id, EndCause.FAILED, message)
        world.pass_time(timedelta(seconds=5))

    assert world.record.outcome is not None
    assert outcome in world.record.outcome.message
    assert world.cloud.calls["launch"] < 40


def test_a_quota_that_others_use_just_now_is_waited_for(world: World) -> None:
    """The job's own machine fitted into it before."""
    launched(world, regions=("us-east-1",))
    world.cloud.interrupt(world.machine.id)
    world.pass_time(timedelta(minutes=5))
    world.cloud.fail_next("launch", QuotaExceeded("used up", code="MaxSpotInstanceCountExceeded"))
    world.step()
    assert world.record.outcome is None

    world.pass_time(timedelta(minutes=5))
    world.step()

    assert world.attempt.state is AttemptState.BOOTING


def test_a_refusal_that_names_no_place_is_remembered_of_the_region(world: World) -> None:
    """Nothing is asked again at once, and --max-wait ends the search."""
    world.submit(max_wait=timedelta(hours=1))
    world.cloud.fail_next("launch", *[InsufficientCapacity("full", code="UnfulfillableCapacity")] * 1000)
    world.step_for(timedelta(hours=2))

    assert world.record.outcome is not None
    assert (world.record.outcome.exit_code, "UnfulfillableCapacity" in world.record.outcome.message) == (4, True)
    assert world.cloud.calls["launch"] < 60


def test_a_short_rise_of_the_price_costs_no_time(world: World) -> None:
    """The deadline comes back with the price, and never later than the first."""
    launched(world, budget=Decimal(100), max_duration=timedelta(hours=10))
    offering, first = world.attempt.offering, world.attempt.deadline
    assert offering is not None
    before = offering.price_per_hour
    assert before is not None
    for price, minutes in ((Decimal(60), 2), (before, 10)):
        world.cloud.set_price(offering.pool, price)
        world.pass_time(timedelta(minutes=minutes))
        world.report()
        world.step()

    assert world.attempt.deadline == first == world.record.orders.deadline
    assert world.record.orders.reason == "over-time"


def test_a_machine_that_still_sends_its_last_files_is_let_finish(world: World) -> None:
    """It goes home by itself; within a quarter of an hour it is ended regardless."""
    launched(world)
    world.cancel()
    world.step()
    for _ in range(8):
        world.pass_time(timedelta(minutes=1))
        world.report(phase=Phase.SAVE)
        world.step()
    assert world.machine.alive

    for _ in range(15):
        world.pass_time(timedelta(minutes=1))
        world.report(phase=Phase.SAVE)
        world.step()
    assert not world.machine.alive


def test_a_budget_ends_a_job_whose_cost_is_not_known(world: World) -> None:
    """Unknown is never nothing: no further machine is bought on it."""
    launched(world, budget=Decimal(100))
    assert world.attempt.offering is not None
    world.cloud.set_price(world.attempt.offering.pool, None)
    world.cloud.lose(world.machine.id)
    world.pass_time(timedelta(hours=2))
    world.step()
    world.step()

    assert world.record.outcome is not None
    assert "not known" in world.record.outcome.message
    assert len(world.record.attempts) == 1


@pytest.mark.parametrize("last_upload", [timedelta(minutes=15), timedelta(minutes=40)])
def test_the_machines_own_timer_leaves_room_for_all_that_is_promised_before(
    world: World, last_upload: timedelta
) -> None:
    """The deadline, the program's grace and the last upload, which the machine is told and a stepper waits for."""
    launched(world, max_duration=timedelta(hours=2), pace=replace(QUICK, last_upload=last_upload))
    told = boarding_pass(world.record, world.attempt)
    promised = timedelta(hours=2) + QUICK.stop_grace + last_upload
    assert (told["stop_after_minutes"], told["last_upload_seconds"]) == (120, last_upload.total_seconds())
    assert timedelta(minutes=int(str(told["max_minutes"]))) > promised

    world.cancel()
    world.step()
    world.pass_time(last_upload)
    world.report(phase=Phase.SAVE)
    world.step()
    assert world.machine.alive


def test_a_machine_says_from_its_first_moment_which_store_has_its_job(world: World) -> None:
    """No other store may take it for an orphan."""
    world.submit()
    world.step()

    assert world.machine.labels["accelctl:store"] == "memory://store"
