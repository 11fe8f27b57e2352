"""A job from request to clean end, against the cloud in memory."""

import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from provisioner.domain.jobs import AttemptState, EndReason, Fallback, JobState, Refusal
from provisioner.domain.offerings import CapacityType, Pool
from provisioner.errors import CloudUnavailable, PermissionDenied, QuotaExceeded, TokenReused
from provisioner.jobs.buying import open_to
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import LostRace, prefix
from tests.jobs.builders import JOB, World

TYPE = "p4d.24xlarge"


@pytest.fixture
def world() -> World:
    return World()


def pool(zone: str, capacity: CapacityType = CapacityType.SPOT) -> Pool:
    return Pool(region=zone[:-1], zone=zone, instance_type=TYPE, capacity_type=capacity)


def all_pools() -> list[Pool]:
    return [pool(zone) for zone in ("us-east-1a", "us-east-1b", "us-east-1c", "us-west-2a", "us-west-2b")]


def launched(world: World, **changes: object) -> None:
    world.submit(**changes)
    world.step()
    world.pass_time(timedelta(seconds=30))
    world.report()
    world.step()


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
    """A machine that the cloud calls running, but that has not reported for five minutes, is replaced."""
    launched(world)
    world.pass_time(timedelta(minutes=4))
    world.step()
    assert len(world.record.attempts) == 1

    world.pass_time(timedelta(minutes=2))
    world.step()
    world.pass_time(timedelta(minutes=2))
    world.step()

    assert world.record.attempts[0].end_reason is EndReason.LOST
    assert len(world.record.attempts) == 2


def test_a_clock_that_is_fast_takes_no_machine_for_lost(world: World) -> None:
    """Reports that look old but keep coming are those of a healthy machine."""
    launched(world)
    for _ in range(40):
        world.pass_time(timedelta(minutes=1))
        world.report(at=world.clock.now() - timedelta(minutes=7))
        world.step()

    assert (len(world.record.attempts), world.attempt.end_reason) == (1, None)


def test_a_machine_that_never_reports_is_replaced_and_its_console_kept(world: World) -> None:
    """The boot wait is bounded, and what the machine printed can be read afterwards."""
    world.submit()
    world.step()
    world.cloud.say(world.machine.id, "kernel panic")
    world.pass_time(timedelta(minutes=16))
    world.step()

    assert world.record.attempts[0].end_reason is EndReason.BOOT_TIMEOUT
    assert world.objects.get(f"jobs/{JOB}/attempts/1/console.log") == b"kernel panic"


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


def test_a_failing_program_is_not_an_interruption(world: World) -> None:
    """A non-zero exit ends the job with exit 6 unless restarts are allowed."""
    launched(world)
    world.report_end(EndReason.FAILED, exit_code=3)
    world.step()

    assert (world.record.state, world.attempt.exit_code) == (JobState.FAILED, 3)
    assert world.record.outcome is not None
    assert world.record.outcome.exit_code == 6


def test_a_failing_program_is_restarted_as_often_as_allowed(world: World) -> None:
    """--max-restarts 1 gives a second attempt and no third."""
    launched(world, max_restarts=1)
    for _ in range(2):
        world.report_end(EndReason.FAILED, exit_code=3)
        world.step()
        world.step()

    assert (world.record.state, len(world.record.attempts)) == (JobState.FAILED, 2)


def test_capacity_nowhere_waits_longer_and_longer_and_then_fails(world: World) -> None:
    """The waits grow, the record says when the next try is, --max-wait ends it with exit 4."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.submit(max_wait=timedelta(minutes=30))
    tries: list[timedelta] = []
    for _ in range(20):
        stepped = world.step()
        if stepped.record.ended_at:
            break
        assert stepped.record.next_try_at is not None
        tries.append(stepped.wait_until - world.clock.now())
        world.pass_time(stepped.wait_until - world.clock.now())

    assert tries[-2] >= tries[0]
    assert sum(tries, timedelta()) == timedelta(minutes=30)
    assert world.record.outcome is not None
    assert world.record.outcome.exit_code == 4
    assert "us-east-1a" in world.record.outcome.message


def test_a_wait_that_is_over_before_it_began_asks_everywhere_once(world: World) -> None:
    """--max-wait 1s gives up only after each offering has said no, and names a quota among the answers."""
    free = all_pools()[-1]
    for one in all_pools()[:-1]:
        world.cloud.set_capacity(one, 0)
    launched(world, max_wait=timedelta(0))
    assert world.attempt.offering is not None
    assert world.attempt.offering.pool.zone == free.zone


def test_a_place_that_gave_a_machine_and_took_it_back_counts_as_asked_once_the_wait_is_over(world: World) -> None:
    """Otherwise a launch that the cloud fails at once would be bought for ever."""
    launched(world)
    offering = world.attempt.offering
    assert offering is not None
    now = world.clock.now()
    taken_back = Refusal(
        region=offering.region, zone=offering.zone, instance_type=offering.instance_type,
        capacity_type=offering.capacity_type, code=EndReason.NO_CAPACITY, message="", at=now, until=now,
    )  # fmt: skip
    over = replace(world.record, waiting_since=now - world.record.spec.max_wait, refusals=(taken_back,))

    assert open_to(over, (offering,), now + timedelta(minutes=1)) == ()
    assert open_to(replace(over, refusals=()), (offering,), now + timedelta(minutes=1)) == (offering,)


def test_a_refused_identity_ends_the_job_instead_of_leaving_it_to_buy_later(world: World) -> None:
    """Exit 4 stands in the record, and nothing was bought."""
    world.cloud.fail_next("make_identity", PermissionDenied("iam:CreateRole is not allowed."))
    world.submit()
    world.step()

    assert (world.record.state, world.record.attempts) == (JobState.FAILED, ())
    assert world.record.outcome is not None
    assert "iam:CreateRole" in world.record.outcome.message


def test_the_wait_for_capacity_is_over_once_a_machine_is_bought(world: World) -> None:
    """Once it has been heard of: what comes after is no wait."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.submit()
    world.step()
    for one in all_pools():
        world.cloud.set_capacity(one, 9)
    world.pass_time(timedelta(minutes=10))
    world.step()
    world.report()
    world.step()

    assert world.record.attempt is not None
    assert world.record.waiting_since is None


def test_the_quota_among_the_refusals_is_named(world: World) -> None:
    """One region lacks capacity, the other lacks quota: both are said."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.cloud.fail_next("launch", QuotaExceeded("0 vCPUs", code="MaxSpotInstanceCountExceeded", hint="L-7212CCBC"))
    world.submit(max_wait=timedelta(0))
    world.step()
    world.step()

    assert world.record.outcome is not None
    assert "L-7212CCBC" in world.record.outcome.message
    assert "spot" in world.record.outcome.message


def test_on_demand_is_the_last_resort_when_allowed(world: World) -> None:
    """--fallback on-demand buys at the on-demand price only once every spot offering has refused."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    launched(world, fallback=Fallback.ON_DEMAND)

    assert world.attempt.offering is not None
    assert world.attempt.offering.capacity_type is CapacityType.ON_DEMAND


def test_a_quota_stops_its_region_for_good(world: World) -> None:
    """A limit of the account in one region sends the job to another, and is never asked again."""
    world.cloud.fail_next("launch", QuotaExceeded("0 vCPUs", code="MaxSpotInstanceCountExceeded", hint="L-7212CCBC"))
    launched(world)

    assert world.attempt.offering is not None
    assert world.attempt.offering.region == "us-west-2"


def test_a_quota_everywhere_ends_the_job_at_once(world: World) -> None:
    """Waiting does not mend a quota: exit 4 with the quota's code, and nothing is left."""
    world.cloud.fail_next("launch", *(QuotaExceeded("0 vCPUs", hint="L-7212CCBC") for _ in range(5)))
    world.submit()
    world.step()

    assert world.record.outcome is not None
    assert world.record.outcome.exit_code == 4
    assert "L-7212CCBC" in world.record.outcome.message
    assert list(world.cloud.leftovers(job=JOB)) == []


def test_a_missing_permission_ends_the_job_with_its_hint(world: World) -> None:
    """A permission is not a matter of zones."""
    world.cloud.fail_next("launch", PermissionDenied("ec2:RunInstances is not allowed", hint="grant ec2:RunInstances"))
    world.submit()
    world.step()

    assert (world.record.state, world.record.outcome and world.record.outcome.exit_code) == (JobState.FAILED, 4)


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


@pytest.mark.parametrize("bought", [True, False])
def test_a_token_that_was_used_with_other_words_buys_once(world: World, bought: bool) -> None:
    """A new image between two tries is no end of the job: the machine is adopted, or bought under a new token."""
    world.submit()
    world.cloud.fail_next("launch", CloudUnavailable("the answer was lost"), after=bought)
    with pytest.raises(CloudUnavailable):
        world.step()
    world.cloud.fail_next("launch", TokenReused("other words", code="IdempotentParameterMismatch"))

    world.step()

    assert [instance.id for instance in world.cloud.instances] == [node.instance_id for node in world.attempt.nodes]
    assert world.attempt.token == (f"{JOB}-1-1" if bought else f"{JOB}-1-2")


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
    from dataclasses import replace

    world.cloud.launch(replace(stray, token="late", labels=dict(stray.labels) | {"accelctl:token": "late"}))
    world.step()

    assert [instance.id for instance in world.cloud.instances if instance.alive] == [known]


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


def test_time_is_counted_over_all_attempts(world: World) -> None:
    """--max-duration is machine time: what earlier attempts used is not given to later ones."""
    launched(world, max_duration=timedelta(hours=3))
    world.pass_time(timedelta(hours=2))
    world.cloud.interrupt(world.machine.id)
    world.step()

    assert world.attempt.deadline is not None
    assert world.attempt.deadline - world.clock.now() < timedelta(hours=1)


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
