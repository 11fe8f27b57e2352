"""A region that is off or silent keeps nothing elsewhere from going, and is never taken for an empty one."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from provisioner.clouds.base import NOWHERE
from provisioner.teardown.execute import plan
from provisioner.workplace import Workplace
from tests.e2e.jobs import accelctl
from tests.estate.serving import serving
from tests.estate.tables import OURS, REGION, Estate, id_of
from tests.jobs.builders import JOB, World, a_record, launched

OFF = "eu-west-1"
MARKS = {f"setup/aws/{region}.json": b"{}" for region in (REGION, OFF)}


@pytest.fixture
def estate() -> Generator[Estate]:
    """Four machines in one prepared region; another one is off."""
    with serving(Estate(machines=4, off=frozenset({OFF}), objects=dict(MARKS))) as found:
        yield found


def torn(*arguments: str) -> tuple[int, dict[str, Any], str]:
    done = accelctl("teardown", *arguments, "--yes", "--output", "json")
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize(
    "wanted",
    [
        ("--everything",),
        pytest.param(("--owner", "tester"), marks=pytest.mark.full),
        pytest.param(("--label", "owner=tester"), marks=pytest.mark.full),
    ],
)
def test_what_can_be_seen_goes_and_the_region_that_is_off_is_named(estate: Estate, wanted: tuple[str, ...]) -> None:
    """In the plan, in the closing listing, and by exit 5."""
    code, told, words = torn(*wanted)

    assert code == 5
    assert {one["id"] for one in told["items"] if one["kind"] == "instance"} == set(estate.ids())
    assert ([one["region"] for one in told["unseen"]], told["left"]) == ([OFF], [])
    assert words.count(f"{OFF} could not be looked at") == 1
    assert f"error: could not be looked at: {OFF}" in words
    assert "nothing is left" not in words


def test_what_is_ours_goes_from_a_region_that_no_setup_prepared_and_what_a_stack_owns_there_is_named() -> None:
    """Every region that the account has enabled is listed before anybody says that nothing is left."""
    west, empty = "us-west-2", "ap-south-1"
    marks = {id_of(0): OURS | {"accelctl:stack": "aws-p5-west"}}
    held = Estate(machines=2, regions=(REGION, west, empty), empty=frozenset({REGION, empty}), labels=marks)
    with serving(held) as estate:
        code, told, words = torn("--everything")

    assert (code, told["left"]) == (0, [])
    assert told["stacks"] == [{"stack": "aws-p5-west", "things": 1, "price_per_hour": None}]  # not known there
    assert [(one["id"], one["region"]) for one in told["items"] if one["kind"] == "instance"] == [(id_of(1), west)]
    assert estate.state_of(id_of(0)) == "running"
    assert "1 things (at a price that is not known) belong" in words
    assert "nothing is left but what stacks own" in words


def test_a_stack_that_cannot_be_destroyed_is_in_the_document_and_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Pulumi says: items, what is left and the stacks are printed, and the end is exit 5."""
    (tmp_path / "pulumi").write_text("#!/bin/sh\nexit 255\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with serving(Estate(machines=2, labels={id_of(0): OURS | {"accelctl:stack": "aws-p5-west"}})) as estate:
        code, told, words = torn("--everything", "--include-stacks")

    assert (code, told["stacks"]) == (5, [{"stack": "aws-p5-west", "things": 1, "price_per_hour": "1.006"}])
    assert "1 things (at most $1.01 an hour) belong to the Pulumi stack 'aws-p5-west'" in words
    assert (estate.state_of(id_of(0)), estate.state_of(id_of(1))) == ("running", "terminated")
    assert "stack 'aws-p5-west' is left: 'pulumi destroy' ended with 255" in words


def test_the_bucket_stays_while_a_region_is_not_seen(estate: Estate) -> None:
    """It says that something may be there: without that mark nobody would look again."""
    code, told, _ = torn("--everything", "--with-data")

    assert (code, "bucket" in {one["kind"] for one in told["items"]}) == (5, False)
    assert list(estate.objects) == [f"setup/aws/{OFF}.json"]


@pytest.mark.full
def test_a_job_that_may_have_something_there_stays_open(estate: Estate) -> None:
    """Its record is asked to end, and kept."""
    records = Workplace().records
    records.create(a_record(regions_tried=(OFF,)))
    code, told, words = torn(JOB, "--with-data")

    assert (code, [one["region"] for one in told["unseen"]]) == (5, [OFF])
    assert f"job {JOB} stays open" in words
    record = records.read(JOB).record
    assert (record.ended_at, record.cancel_asked_at is not None) == (None, True)


@pytest.mark.full
def test_a_region_that_is_back_is_finished(estate: Estate) -> None:
    """The next run looks there again, and then nothing is left."""
    assert torn("--everything")[0] == 5
    estate.off = frozenset()
    code, told, words = torn("--everything")

    assert (code, told["unseen"], told["left"]) == (0, [], [])
    assert "nothing is left" in words
    assert not [key for key in estate.objects if key.startswith("setup/")]


def test_what_was_listed_stands_and_the_silent_region_is_kept_with_its_reason() -> None:
    """Also where the machine's own region is the silent one: then nothing says that it is gone."""
    world = World()
    launched(world)
    world.cloud.down = {world.machine.region}
    found = plan(world.cloud)

    assert {one.region for one in found.items} == {"us-west-2", NOWHERE}
    assert list(found.unseen) == [world.machine.region]
    assert not found.nothing
    world.cloud.down = set()
    assert world.machine.id in {one.id for one in plan(world.cloud).items}
