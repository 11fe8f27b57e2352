"""A job moves between regions, over the network ways that setup prepared."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from provisioner.sandbox.client import ask
from tests.e2e.jobs import TYPE, Job, accelctl, billed, counting, left_of, overlapping, started

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
HOME_ZONES = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]


def test_a_job_moves_to_another_region_when_its_own_has_nothing_left(tmp_path: Path) -> None:
    """Interrupted at home, refused in every zone there, it goes on in the next prepared region from its checkpoint,
    and the transfer between regions is on the bill."""
    assert accelctl("setup", "--region", "us-east-1").returncode == 0
    assert accelctl("setup", "--region", "us-west-2").returncode == 0
    job = Job("mover")
    with started(*counting("mover", "--output", "json", steps=400)) as cli:
        found = job.running(1)
        for zone in HOME_ZONES:
            ask("capacity", type=TYPE, zone=zone, count="0")
        ask("interrupt", instance=found["id"], notice="2")
        out, err = cli.communicate(timeout=120)
    for zone in HOME_ZONES:
        ask("capacity", type=TYPE, zone=zone, count="1000")
    done = json.loads(out)

    assert (cli.returncode, done["state"]) == (0, "succeeded"), err
    assert [attempt["region"] for attempt in done["attempts"]] == ["us-east-1", "us-west-2"]
    assert job.result(tmp_path)["steps"] == 400
    assert not overlapping(done["id"])
    assert left_of(done["id"]) == []
    assert Decimal(done["cost"]["network"]) == pytest.approx(billed(done["id"], "network"), abs=Decimal("0.0005"))


def test_a_region_that_is_not_prepared_is_exit_2() -> None:
    """It says which command prepares it, and buys nothing."""
    assert accelctl("setup").returncode == 0
    done = accelctl("spot-train", "--instance", TYPE, "--region", "eu-west-1", "--", "true")

    assert done.returncode == 2
    assert "accelctl setup --region eu-west-1" in done.stderr


def test_a_region_that_does_not_exist_is_exit_2() -> None:
    """Named, with the nearest that do; nothing is made."""
    done = accelctl("setup", "--region", "us-eats-1")

    assert done.returncode == 2
    assert "us-eats-1" in done.stderr
    assert "us-east-1" in done.stderr


def test_the_plan_shows_how_each_region_reaches_the_store() -> None:
    """--dry-run names the way and its prices, and changes nothing."""
    assert accelctl("setup", "--region", "us-east-1").returncode == 0
    assert accelctl("setup", "--region", "us-west-2").returncode == 0
    before = ask("status")["requests"]
    done = accelctl("spot-train", "--instance", TYPE, "--dry-run", "--output", "json", "--", "true")
    offerings = json.loads(done.stdout)["offerings"]
    changed = {name for name, count in ask("status")["requests"].items() if count != before.get(name, 0)}

    far = [offering for offering in offerings if offering["region"] == "us-west-2"]
    assert far
    assert all(Decimal(offering["way_per_gib"]) == Decimal("0.02") for offering in far)
    assert not [name for name in changed if any(word in name for word in ("Create", "Run", "Put", "Delete"))]
