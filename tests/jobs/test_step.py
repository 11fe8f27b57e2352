"""A job from request to clean end, against the cloud in memory."""

import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from provisioner.domain.instances import EndCause
from provisioner.domain.jobs import AttemptState, EndReason, JobState
from provisioner.errors import CloudUnavailable
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import LostRace, prefix
from tests.jobs.builders import JOB, World, launched, pool


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_buys_the_cheapest_offering_first(world: World) -> None:
    """The first attempt goes where a machine costs least."""
    launched(world)

    assert world.attempt.offering is not None
    assert (world.attempt.offering.zone, world.record.state) == ("us-east-1a", JobState.RUNNING)


def test_intent_is_written_before_the_cloud_is_called(world: World) -> None:
    """When the launch call fails without an answer, its token is in the record already."""
    world.submit()
    world.cloud.fail_next("launch", CloudUnavailable("gone"))

    with pytest.raises(CloudUnavailable):
        world.step()

    assert (world.attempt.state, world.attempt.token) == (AttemptState.LAUNCHING, f"{JOB}-1-1")


def test_an_unanswered_launch_is_repeated_and_buys_once(world: World) -> None:
    """A launch that took effect but whose answer was lost is adopted by the next step."""
    world.submit()
    world.cloud.fail_next("launch", CloudUnavailable("the answer was lost"), after=True)
    with pytest.raises(CloudUnavailable):
        world.step()

    world.another_stepper("first").step(JOB)

    assert (len(world.cloud.instances), len(world.attempt.nodes)) == (1, 1)


def test_a_refused_zone_is_left_for_the_next_and_not_asked_again(world: World) -> None:
    """Zones are tried in order of price; who refused is remembered."""
    world.cloud.set_capacity(pool("us-east-1a"), 0)
    world.cloud.set_capacity(pool("us-east-1b"), 0)
    launched(world)

    assert world.attempt.offering is not None
    assert world.attempt.offering.zone == "us-east-1c"
    assert [refusal.zone for refusal in world.record.refusals] == ["us-east-1a", "us-east-1b"]
    assert world.cloud.calls["launch"] == 3
    assert len(world.record.attempts) == 1


def test_a_finished_program_ends_the_job_and_leaves_nothing(world: World) -> None:
    """Finished: the machine is ended, the identity removed, the record closed with its cost."""
    launched(world)
    world.pass_time(timedelta(minutes=10))
    world.report_end(EndReason.FINISHED)
    world.step()

    assert world.record.state is JobState.SUCCEEDED
    assert list(world.cloud.leftovers(job=JOB)) == []
    assert world.attempt.cost is not None
    assert world.attempt.cost.machine == pytest.approx(Decimal("6.00") * 630 / 3600)


def test_an_interruption_resumes_elsewhere(world: World) -> None:
    """After an interruption the next attempt starts in another zone, and the first hour was free."""
    launched(world)
    world.pass_time(timedelta(minutes=10))
    world.report(checkpoint=world.save(1))
    world.pass_time(timedelta(minutes=1))
    world.cloud.interrupt(world.machine.id)
    world.step()

    first, second = world.record.attempts
    assert (first.end_reason, first.work_lost) == (EndReason.INTERRUPTED, timedelta(minutes=1))
    assert first.cost is not None
    assert first.cost.machine == 0
    assert second.offering is not None
    assert (second.offering.zone, world.record.state) == ("us-east-1b", JobState.RECOVERING)


def test_never_two_machines_at_once(world: World) -> None:
    """While the old machine is on its way out nothing new is bought."""
    world.cloud.dies_in = timedelta(seconds=40)
    launched(world)
    world.report_end(EndReason.INTERRUPTED, exit_code=143)
    for _ in range(10):
        world.step()
        world.pass_time(timedelta(seconds=10))

    assert len(world.record.attempts) == 2
    assert world.cloud.peak[JOB] == 1


def test_within_the_free_hour_the_cloud_is_left_to_end_the_machine(world: World) -> None:
    """What the cloud ends itself within an hour costs nothing, so the last two minutes are worth waiting for."""
    launched(world)
    world.report_end(EndReason.INTERRUPTED, notice=world.notice())
    world.step()

    assert world.machine.ended_at is None

    world.pass_time(timedelta(minutes=2))
    world.cloud.interrupt(world.machine.id)
    world.step()

    assert world.record.attempts[0].cost is not None
    assert world.record.attempts[0].cost.machine == 0


def test_after_the_free_hour_a_saved_machine_is_ended_at_once(world: World) -> None:
    """Later than an hour the machine is given back as soon as everything is saved."""
    launched(world)
    world.pass_time(timedelta(hours=2))
    world.report_end(EndReason.INTERRUPTED, notice=world.notice())
    world.step()

    assert len(world.record.attempts) == 2


def test_a_silent_machine_is_lost(world: World) -> None:
    """A machine that fails its checks, or of which nobody may know, and is silent for five minutes, is replaced."""
    launched(world)
    world.cloud.impair(world.machine.id)
    world.pass_time(timedelta(minutes=4))
    world.step()
    assert len(world.record.attempts) == 1

    world.pass_time(timedelta(minutes=2))
    world.step()
    world.pass_time(timedelta(minutes=2))
    world.step()

    assert world.record.attempts[0].end_reason is EndReason.LOST
    assert len(world.record.attempts) == 2


def test_a_machine_that_breaks_after_hours_was_no_lack_of_capacity(world: World) -> None:
    """The same cause, at a launch, is one: a machine that has reported was started, and is lost."""
    launched(world)
    world.pass_time(timedelta(hours=2))
    world.report()
    world.step()
    world.cloud.end(world.machine.id, EndCause.FAILED, "Server.InternalError")
    world.step()

    assert world.record.attempts[0].end_reason is EndReason.LOST


def test_a_clock_that_is_fast_takes_no_machine_for_lost(world: World) -> None:
    """Reports that look old but keep coming are those of a healthy machine."""
    launched(world)
    for _ in range(40):
        world.pass_time(timedelta(minutes=1))
        world.report(at=world.clock.now() - timedelta(minutes=7))
        world.step()

    assert (len(world.record.attempts), world.attempt.end_reason) == (1, None)


def test_three_machines_that_never_report_end_the_job(world: World) -> None:
    """The same failure three times is not bad luck: the job stops and shows it."""
    world.submit()
    for _ in range(4):
        world.step()
        world.pass_time(timedelta(minutes=16))
    world.step()

    assert (world.record.state, len(world.record.attempts)) == (JobState.FAILED, 3)
    assert world.record.outcome is not None
    assert world.record.outcome.exit_code == 4


def test_each_machine_after_one_that_never_reported_is_bought_in_a_place_not_tried_yet(world: World) -> None:
    """Where one region alone is prepared, too."""
    world.submit(regions=("us-east-1",))
    world.step_for(timedelta(hours=1, minutes=10))

    zones = [attempt.offering.zone for attempt in world.record.attempts if attempt.offering]
    assert sorted(zones) == ["us-east-1a", "us-east-1b", "us-east-1c"]


def test_machines_that_vanish_and_machines_that_never_report_end_the_job_together(world: World) -> None:
    """Three in a row of either kind, with nothing saved in between, and both are named."""
    world.submit(max_duration=timedelta(days=7))
    for number in range(1, 6):
        world.step()
        if world.record.ended_at:
            break
        world.pass_time(timedelta(seconds=30))
        if number % 2:
            world.report(at=world.clock.now())
            world.step()
            world.cloud.shut_down(world.machine.id)
        else:
            world.pass_time(timedelta(minutes=16))

    assert (world.record.state, len(world.record.attempts)) == (JobState.FAILED, 3)
    assert world.record.outcome is not None
    assert "vanished or never reported" in world.record.outcome.message


def test_a_failing_program_is_not_an_interruption(world: World) -> None:
    """A non-zero exit ends the job with exit 6 and its last lines, unless restarts are allowed."""
    launched(world)
    world.report_end(EndReason.FAILED, exit_code=3)
    world.step()

    assert (world.record.state, world.attempt.exit_code) == (JobState.FAILED, 3)
    assert world.record.outcome is not None
    assert (world.record.outcome.exit_code, world.record.outcome.last_lines) == (6, ("bye",))


def test_a_failing_program_is_restarted_as_often_as_allowed(world: World) -> None:
    """--max-restarts 1 gives a second attempt and no third."""
    launched(world, max_restarts=1)
    for _ in range(2):
        world.report_end(EndReason.FAILED, exit_code=3)
        world.step()
        world.step()

    assert (world.record.state, len(world.record.attempts)) == (JobState.FAILED, 2)


def test_a_program_whose_results_could_not_be_stored_is_not_run_again(world: World) -> None:
    """It had done its work; the store that refused it would refuse it again, at the price of a machine."""
    launched(world, max_restarts=3)
    world.report_end(EndReason.FAILED, exit_code=0)
    world.step()
    world.step()

    assert (world.record.state, len(world.record.attempts)) == (JobState.FAILED, 1)


def test_cancelling_lets_the_machine_save_first(world: World) -> None:
    """Cancelled: the machine is told, saves, reports, and only then is ended."""
    launched(world)
    world.cancel()
    world.step()
    assert (world.record.orders.run, world.machine.ended_at) == (False, None)

    world.report_end(EndReason.CANCELLED, exit_code=143)
    world.step()

    assert world.record.state is JobState.CANCELLED
    assert world.attempt.end_reason is EndReason.CANCELLED


def test_a_machine_that_does_not_obey_is_ended_anyway(world: World) -> None:
    """The grace of a stop is bounded."""
    launched(world)
    world.cancel()
    world.step()
    world.pass_time(timedelta(minutes=4))
    world.step()

    assert world.record.state is JobState.CANCELLED


def test_what_a_cancelled_launch_bought_is_counted(world: World) -> None:
    """The machine that nobody heard of is taken over, ended, and has its cost."""
    world.submit()
    world.cloud.fail_next("launch", CloudUnavailable("the answer was lost"), after=True)
    with pytest.raises(CloudUnavailable):
        world.step()
    world.cancel()
    for _ in range(5):
        world.pass_time(timedelta(minutes=1))
        world.step()

    assert (world.record.state, len(world.cloud.instances)) == (JobState.CANCELLED, 1)
    assert world.attempt.cost is not None


def test_cancelling_during_a_launch_under_way_leaves_no_machine(world: World) -> None:
    """The launch may have taken effect unseen: the job ends only when the cloud has had time to list it."""
    world.submit()
    world.cloud.visible_after = timedelta(seconds=5)
    world.cloud.fail_next("launch", CloudUnavailable("lost"), after=True)
    with pytest.raises(CloudUnavailable):
        world.step()
    world.cancel()
    world.step()
    assert world.record.ended_at is None

    world.pass_time(timedelta(seconds=61))
    world.step()
    world.step()

    assert world.record.state is JobState.CANCELLED
    assert not any(instance.alive for instance in world.cloud.instances)


def test_one_leftover_that_cannot_be_removed_keeps_no_other_from_going(world: World) -> None:
    """The identity goes all the same, and the job ends once the rest has gone."""
    launched(world)
    world.report_end(EndReason.FINISHED)
    world.cloud.fail_next("remove", *[CloudUnavailable("in use")] * 2)
    world.pass_time(timedelta(minutes=1))
    with pytest.raises(CloudUnavailable):
        world.step()
    assert not world.cloud.identities

    for _ in range(3):
        world.pass_time(timedelta(minutes=1))
        world.step()
    assert world.record.state is JobState.SUCCEEDED


def test_a_machine_that_no_attempt_knows_is_ended(world: World) -> None:
    """A late launch by a stepper that was overtaken is found by its label."""
    launched(world)
    stray = world.cloud.request_of(world.machine.id)
    known = world.machine.id

    world.cloud.launch(replace(stray, token="late", labels=dict(stray.labels) | {"accelctl:token": "late"}))
    world.step()

    assert [instance.id for instance in world.cloud.instances if instance.alive] == [known]


@pytest.mark.parametrize("damage", [b"", b'{"version": 1, "seq', b"null"])
def test_a_damaged_manifest_stops_nobody(world: World, damage: bytes) -> None:
    """The attempt is closed with the newest checkpoint that is whole, and the next machine is bought."""
    launched(world)
    world.save(1)
    world.save(2)
    world.objects.put(f"{prefix(JOB)}checkpoints/00000002.json", damage)
    world.cloud.interrupt(world.machine.id)
    world.step()
    world.step()

    assert len(world.record.attempts) == 2
    assert world.record.checkpoint is not None
    assert world.record.checkpoint.sequence == 1


def test_a_name_that_is_no_text_is_kept_as_it_is(world: World) -> None:
    """Bytes of a file's name that are no UTF-8 come back as the same bytes."""
    launched(world)
    world.save(1)
    key = f"{prefix(JOB)}checkpoints/00000001.json"
    named = world.objects.get(key).replace(b"checkpoints/a", b"checkpoints/a\\udcff")
    world.objects.put(key, named)

    (manifest,) = Progress(world.objects).manifests(JOB)

    assert os.fsencode(manifest.files[0].path) == b"checkpoints/a\xff"


def test_the_labels_of_a_wish_are_on_its_machine(world: World) -> None:
    """Team and cost center travel in the create call."""
    launched(world, labels={"team": "vision", "cost_center": "42"})

    assert world.machine.labels["accelctl:team"] == "vision"
    assert world.machine.labels["accelctl:cost-center"] == "42"


def test_a_live_lease_keeps_others_away_and_a_dead_one_expires(world: World) -> None:
    """Who holds the lease acts; the others watch until it runs out."""
    world.submit()
    world.cloud.fail_next("launch", CloudUnavailable("gone"))
    with pytest.raises(CloudUnavailable):
        world.step()
    second = world.another_stepper("second")

    assert second.step(JOB).mine is False
    assert len(world.cloud.instances) == 0

    world.pass_time(timedelta(minutes=2))
    assert second.step(JOB).mine is True
    assert len(world.cloud.instances) == 1


def test_a_refused_write_of_our_own_is_no_lost_race(world: World) -> None:
    """A write that landed, but was reported as refused, is known by its writer."""
    world.submit()
    held = world.records.read(JOB)
    landed = world.records.write(held, held.record)

    with pytest.raises(LostRace):
        world.records.write(held, held.record)
    assert world.records.read(JOB).record.writer == landed.record.writer
