"""What every cloud promises: one suite, held to the fake in memory and to AWS on the sandbox."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from provisioner.catalog import labels
from provisioner.clouds.base import IdentityRequest
from provisioner.domain.instances import EndCause, InstanceState
from provisioner.domain.offerings import Requirements
from provisioner.errors import AccelctlError, InstanceNotFound, InsufficientCapacity
from tests.contract.worlds import IDENTITY, REGION, TYPE, AwsWorld, FakeWorld, Job, World, pool_in
from tests.sandbox.world import until

A, B = "us-east-1a", "us-east-1b"


def ready(world: World) -> World:
    """With its region prepared and an identity for machines."""
    world.cloud.prepare(REGION)
    world.cloud.make_identity(
        IdentityRequest(name=IDENTITY, job="contract", labels=labels.ours(job="contract"), store="s3://s", read=())
    )
    return world


@pytest.fixture
def fake() -> World:
    return ready(FakeWorld())


@pytest.fixture(scope="module")
def aws(sandbox: dict[str, Any]) -> World:
    return ready(AwsWorld())


@pytest.fixture(params=["fake", "aws"])
def world(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(request.param)


@pytest.fixture
def job(world: World) -> Iterator[Job]:
    """A job whose machines go with the test; the market is open before and after."""
    for zone in (A, B):
        world.leave(pool_in(zone), None)
    mine = Job(world=world, id=f"contract-{secrets.token_hex(4)}")
    yield mine
    for instance in world.cloud.list_owned({labels.JOB: mine.id}, regions=[REGION]):
        world.cloud.terminate(instance.id, region=REGION)
    world.cloud.remove_identity(mine.identity().name)
    for zone in (A, B):
        world.leave(pool_in(zone), None)


def listed(job: Job) -> list[str]:
    return [instance.id for instance in job.world.cloud.list_owned({labels.JOB: job.id}, regions=[REGION])]


def test_the_same_token_buys_once(job: Job) -> None:
    """The same request asked twice is one purchase."""
    first = job.world.cloud.launch(job.request(A))
    second = job.world.cloud.launch(job.request(A))

    assert job.world.cloud.traits.idempotent_launch
    assert [instance.id for instance in first] == [instance.id for instance in second]
    assert until(lambda: listed(job)) == [first[0].id]


def test_a_token_with_another_request_is_refused(job: Job) -> None:
    """A token stands for one purchase: with other content it is an error, never a second machine."""
    bought = job.world.cloud.launch(job.request(A))

    with pytest.raises(AccelctlError, match=r"(?i)token|idempotent"):
        job.world.cloud.launch(job.request(A, user_data="#!/bin/sh\nexec sleep 301\n"))
    assert until(lambda: listed(job)) == [bought[0].id]


def test_labels_are_there_from_the_start(job: Job) -> None:
    """What was launched carries every label of the request, and ours."""
    bought = job.world.cloud.launch(job.request(A))[0]

    assert job.world.cloud.traits.labels_in_create
    assert dict(bought.labels).items() >= job.labels.items()
    assert (bought.zone, bought.region, bought.instance_type) == (A, REGION, TYPE)


def test_all_or_none(job: Job) -> None:
    """Two machines where one can be had are none."""
    job.world.leave(pool_in(A), 1)

    with pytest.raises(InsufficientCapacity):
        job.world.cloud.launch(job.request(A, count=2))
    assert job.world.cloud.traits.atomic_gang
    assert listed(job) == []


@pytest.mark.parametrize("zones", [(A,), (A, B)])
def test_a_refusal_names_every_pool(job: Job, zones: tuple[str, ...]) -> None:
    """No capacity anywhere: each offering that was asked is named, with the cloud's own word."""
    for zone in zones:
        job.world.leave(pool_in(zone), 0)

    with pytest.raises(InsufficientCapacity) as refusal:
        job.world.cloud.launch(job.request(*zones))
    assert {(row.zone, row.instance_type, row.code) for row in refusal.value.refused} == {
        (zone, TYPE, "InsufficientInstanceCapacity") for zone in zones
    }
    assert not any(row.lasting for row in refusal.value.refused)


def test_of_several_offerings_one_that_has_capacity_is_bought(job: Job) -> None:
    """The first zone is empty, the second is not: the machine is in the second."""
    job.world.leave(pool_in(A), 0)

    bought = job.world.cloud.launch(job.request(A, B))

    assert [instance.zone for instance in bought] == [B]
    assert dict(bought[0].labels).items() >= job.labels.items()


def test_an_unknown_instance_is_not_found(world: World) -> None:
    """`get` raises for what the cloud does not know; `terminate` of it is success; its console is empty."""
    nobody = "i-0123456789abcdef0"

    with pytest.raises(InstanceNotFound):
        world.cloud.get(nobody, region=REGION)
    world.cloud.terminate(nobody, region=REGION)
    assert world.cloud.console_output(nobody, region=REGION) == ""


def test_terminating_twice_is_fine_and_says_who_ended_it(job: Job) -> None:
    """An instance that we end is terminated, by us, at a time that the cloud tells; the second call changes nothing."""
    cloud = job.world.cloud
    bought = cloud.launch(job.request(A))[0]
    until(lambda: cloud.get(bought.id, region=REGION).state is InstanceState.RUNNING)

    cloud.terminate(bought.id, region=REGION)
    until(lambda: not cloud.get(bought.id, region=REGION).alive)
    first = cloud.get(bought.id, region=REGION)
    cloud.terminate(bought.id, region=REGION)

    assert cloud.get(bought.id, region=REGION) == first
    assert (first.end_cause, first.alive) == (EndCause.TERMINATED, False)
    assert first.ended_at is not None
    assert first.ended_at >= bought.launched_at


def test_an_interruption_is_told_apart(job: Job) -> None:
    """A machine that the cloud took back says so, and when."""
    cloud = job.world.cloud
    bought = cloud.launch(job.request(A))[0]
    until(lambda: cloud.get(bought.id, region=REGION).state is InstanceState.RUNNING)

    job.world.interrupt(bought.id)
    gone = until(lambda: (found := cloud.get(bought.id, region=REGION)) and not found.alive and found)
    cloud.terminate(bought.id, region=REGION)

    assert gone.end_cause is EndCause.INTERRUPTED
    assert gone.ended_at is not None
    assert cloud.get(bought.id, region=REGION).end_cause is EndCause.INTERRUPTED
    assert cloud.traits.notice > timedelta(0)


def test_how_a_machine_ended_is_known_longer_than_its_labels(job: Job) -> None:
    """A while after its end no listing by label shows it; asked for by id, the cloud still says who ended it."""
    cloud = job.world.cloud
    bought = cloud.launch(job.request(A))[0]
    until(lambda: cloud.get(bought.id, region=REGION).state is InstanceState.RUNNING)
    job.world.interrupt(bought.id)
    assert until(lambda: not cloud.get(bought.id, region=REGION).alive)
    assert listed(job) == [bought.id]

    job.world.pass_time(timedelta(minutes=11))
    assert until(lambda: not listed(job))
    assert cloud.get(bought.id, region=REGION).end_cause is EndCause.INTERRUPTED


def test_only_the_jobs_own_machines_are_listed(job: Job) -> None:
    """Listing by label finds the machines that carry it, and no others."""
    other = replace(job, id=f"{job.id}-other")
    mine = job.world.cloud.launch(job.request(A, count=2))
    theirs = job.world.cloud.launch(other.request(A))
    try:
        until(lambda: len(listed(job)) == 2)
        assert sorted(listed(job)) == sorted(instance.id for instance in mine)
    finally:
        job.world.cloud.terminate(theirs[0].id, region=REGION)


def test_an_identity_is_made_once_and_removed_once(job: Job) -> None:
    """Making and removing may both be repeated; afterwards nothing of the job is left."""
    cloud, wanted = job.world.cloud, job.identity()
    for _ in range(2):
        cloud.make_identity(wanted)
    assert [left.id for left in cloud.leftovers(job=job.id)] == [wanted.name]

    for _ in range(2):
        cloud.remove_identity(wanted.name)
    assert list(cloud.leftovers(job=job.id)) == []


def test_leftovers_are_found_and_gone_after_removal(job: Job) -> None:
    """A machine and an identity are found by the job; removed in order, twice over, nothing is left."""
    cloud = job.world.cloud
    cloud.make_identity(job.identity())
    bought = cloud.launch(job.request(A))[0]
    until(lambda: listed(job))

    found = sorted(cloud.leftovers(job=job.id), key=lambda left: left.order)
    assert bought.id in [left.id for left in found]
    assert job.identity().name in [left.id for left in found]
    for left in found * 2:
        cloud.remove(left)
    until(lambda: not list(cloud.leftovers(job=job.id)))


def test_what_is_not_the_jobs_is_never_its_leftover(job: Job) -> None:
    """The region's network and the machines' shared identity belong to setup, not to a job."""
    assert list(job.world.cloud.leftovers(job=job.id)) == []
    assert [left for left in job.world.cloud.leftovers() if left.kind != "instance"]


def test_price_history_starts_with_the_price_in_effect(job: Job) -> None:
    """Every change is kept, oldest first; the first entry is what held at the start."""
    cloud, before = job.world.cloud, job.offerings(A)[0]
    assert before.price_per_hour is not None
    bought = cloud.launch(job.request(A))[0]
    dearer = before.price_per_hour + Decimal("0.50")
    job.world.clock.sleep(timedelta(milliseconds=1))
    job.world.reprice(pool_in(A), dearer)

    history = cloud.price_history(before, bought.launched_at, job.world.clock.now() + timedelta(days=3650))
    job.world.reprice(pool_in(A), before.price_per_hour)

    assert [change.price_per_hour for change in history] == [before.price_per_hour, dearer]
    assert [change.at for change in history] == sorted(change.at for change in history)
    assert job.offerings(A)[0].price_per_hour == before.price_per_hour


def test_offerings_are_of_prepared_regions_only(world: World) -> None:
    """What is offered is what was asked for, where setup has been, priced, with a way to the store."""
    found = world.cloud.offerings(Requirements(instance_types=(TYPE,)))

    assert found
    assert {offering.region for offering in found} <= set(world.cloud.prepared_regions())
    assert {(offering.cloud, offering.instance_type) for offering in found} == {(world.cloud.name, TYPE)}
    assert all(offering.price_per_hour is not None and offering.way.reaches_internet for offering in found)


def test_preparing_again_makes_nothing(world: World) -> None:
    """Setup may be repeated: what is there is found, not made again."""
    again = world.cloud.prepare(REGION)

    assert again
    assert not [thing for thing in again if thing.made]
    assert REGION in world.cloud.prepared_regions()
    assert world.cloud.job_store() is not None
