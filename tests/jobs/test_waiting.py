"""Capacity that is not there: what is asked, how long is waited, and when it is no use."""

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest

from provisioner.domain.jobs import EndReason, Fallback, JobState, Refusal
from provisioner.domain.offerings import CapacityType
from provisioner.errors import CloudUnavailable, PermissionDenied, QuotaExceeded, RateLimited
from provisioner.jobs.buying import open_to
from provisioner.jobs.outcomes import no_capacity
from provisioner.jobs.resume import Allowance, resume, resumed
from tests.jobs.builders import JOB, START, World, a_record, a_spec, all_pools, launched


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(("fallback", "advised"), [(Fallback.NONE, True), (Fallback.ON_DEMAND, False)])
def test_the_end_without_capacity_names_each_place_once_and_advises_what_was_not_tried(
    fallback: Fallback, advised: bool
) -> None:
    """Ten zones that refuse alike are one thing to read."""
    refusals = tuple(
        Refusal(
            region="us-east-1", zone=f"us-east-1{zone}", instance_type="p4d.24xlarge", capacity_type="spot",
            code="NoCapacity", message="none", at=START, until=START,
        )
        for zone in "abc"
    )  # fmt: skip
    end = no_capacity(a_record(spec=a_spec(fallback=fallback), refusals=refusals))

    assert "spot p4d.24xlarge in us-east-1a, us-east-1b, us-east-1c (NoCapacity)" in end.message
    assert ("--fallback" in end.hint) is advised


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


def test_offerings_that_refuse_cost_one_call_each(world: World) -> None:
    """What is sold is asked once in a step, and the machines are listed before each launch, no oftener."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.submit()
    world.step()

    regions = 2
    assert world.cloud.calls["launch"] == len(all_pools())
    assert world.cloud.calls["offerings"] == 1
    assert world.cloud.calls["list_owned"] <= regions * (len(all_pools()) + 1)


def test_a_next_step_asks_anew_what_is_sold(world: World) -> None:
    """A price that moved meanwhile decides."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.submit()
    stepped = world.step()
    world.pass_time(stepped.wait_until - world.clock.now())
    world.step()

    assert world.cloud.calls["offerings"] == 2


def test_the_last_try_is_a_try(world: World) -> None:
    """What came back while the job waited is bought at the end of the wait, however lately it was refused."""
    for one in all_pools():
        world.cloud.set_capacity(one, 0)
    world.submit(max_wait=timedelta(seconds=90))
    stepped = world.step()
    for one in all_pools():
        world.cloud.set_capacity(one, 1)
    world.pass_time(stepped.wait_until - world.clock.now())
    world.step()

    assert stepped.wait_until == world.clock.now()
    assert world.machine.alive


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


def test_an_identity_that_cannot_be_made_is_asked_for_again_within_a_bound(world: World) -> None:
    """IAM may take a moment; what it does not know after --max-wait, a quarter of an hour at least, it never will."""
    world.submit(max_wait=timedelta(0))
    lags = CloudUnavailable("IAM does not know it yet.", hint="run setup.")
    world.cloud.fail_next("make_identity", *[lags] * 5)

    for _ in range(3):
        with pytest.raises(CloudUnavailable):
            world.step()
        world.pass_time(timedelta(minutes=5))
    world.step()
    assert world.record.state is JobState.FAILED
    assert world.record.outcome is not None
    assert world.record.outcome.hint == "run setup."


def test_a_job_that_is_first_stepped_late_has_its_whole_patience(world: World) -> None:
    """It counts from the first request, however long ago the job was submitted."""
    world.submit()
    world.pass_time(timedelta(hours=2))
    world.cloud.fail_next("make_identity", RateLimited("slow down"))
    with pytest.raises(RateLimited):
        world.step()
    world.step()

    assert (world.record.outcome, world.machine.alive) == (None, True)


def test_a_night_between_two_refusals_of_an_identity_ends_no_job(world: World) -> None:
    """A laptop that sleeps asks for nothing: two throttled calls are two, however much time lies between."""
    world.submit()
    world.cloud.fail_next("make_identity", *[RateLimited("slow down")] * 2)
    world.step_in_vain(2, pause=timedelta(hours=8))
    world.step()

    assert (world.record.outcome, world.machine.alive) == (None, True)


def test_a_resumed_job_has_its_whole_patience_again(world: World) -> None:
    """One throttled call two days after the job was created ends nothing."""
    launched(world, max_duration=timedelta(hours=1))
    world.report_end(EndReason.OVER_TIME)
    world.step()
    world.pass_time(timedelta(days=2))
    held = world.records.read(JOB)
    allowed = Allowance(max_duration=timedelta(hours=1), budget=None, max_restarts=0)
    resume(world.objects, held, resumed(held.record, allowed, None))
    world.cloud.fail_next("make_identity", RateLimited("slow down"))
    with pytest.raises(RateLimited):
        world.step()
    world.step()

    assert world.record.outcome is None
    assert len(world.record.attempts) == 2


def test_whoever_may_not_make_the_identity_ends_no_job_of_somebody_who_may(world: World) -> None:
    """A timer, or a colleague, steps a job whose identity was asked for before."""
    world.submit()
    world.cloud.fail_next("make_identity", RateLimited("slow down"), PermissionDenied("iam:CreateRole is not allowed."))
    for refusal in (RateLimited, PermissionDenied):
        with pytest.raises(refusal):
            world.step()
    assert world.record.outcome is None

    world.step()

    assert world.machine.alive


def test_an_identity_that_nobody_may_make_ends_the_job_with_its_wait(world: World) -> None:
    """Else it stays pending for ever, its name stays taken, and every round of the function fails."""
    world.submit(max_wait=timedelta(hours=1))
    world.cloud.fail_next("make_identity", RateLimited("slow down"))
    with pytest.raises(RateLimited):
        world.step()
    world.cloud.fail_next("make_identity", *[PermissionDenied("iam:CreateRole is not allowed.")] * 100)
    world.step_in_vain(12, pause=timedelta(minutes=5), why=PermissionDenied)
    world.step()

    assert world.record.state is JobState.FAILED
    assert world.record.outcome is not None
    assert (world.record.outcome.exit_code, "iam:CreateRole" in world.record.outcome.message) == (4, True)


def test_a_launch_that_nobody_may_make_ends_the_job_with_its_wait(world: World) -> None:
    """A colleague's step leaves it to who started it; nobody had the right for all of --max-wait."""
    launched(world, max_wait=timedelta(hours=1))
    world.cloud.interrupt(world.machine.id)
    world.cloud.fail_next("launch", *[PermissionDenied("ec2:RunInstances is not allowed.")] * 1000)
    began = world.clock.now()
    while world.record.ended_at is None and world.clock.now() < began + timedelta(hours=6):
        with contextlib.suppress(PermissionDenied):
            world.step()
        world.pass_time(timedelta(minutes=5))

    assert world.record.state is JobState.FAILED
    assert world.clock.now() < began + timedelta(hours=1, minutes=30)


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
