"""The foreground: what it bears, and what its timer is told."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from obstore.store import MemoryStore

from provisioner.cli.narrate import narrate
from provisioner.cli.steppers import service
from provisioner.cli.stepping import led
from provisioner.cli.watch import Detached, Watch
from provisioner.domain.jobs import JobRecord
from provisioner.errors import CloudUnavailable, PermissionDenied
from provisioner.jobs.cancel import ask_to_cancel
from provisioner.jobs.objects import Objects, Stored
from tests.jobs.builders import JOB, QUICK, World, launched


class Stumbling(Objects):
    """A store that does not answer the first listings."""

    failures = 3

    def listing(self, prefix: str) -> Iterator[Stored]:
        if self.failures:
            self.failures -= 1
            raise CloudUnavailable("the job store did not answer.")
        yield from super().listing(prefix)


def test_output_that_cannot_be_read_just_now_ends_no_foreground() -> None:
    """It is borne like a step that fails."""
    world, store = World(), MemoryStore()
    world.submit()
    place = SimpleNamespace(
        objects=Stumbling(store, name="memory"), stepper=world.stepper, clock=world.clock, records=world.records
    )

    seen = Watch(cast("Any", place), JOB, show_output=True).until_done(until=lambda record: bool(record.attempts))

    assert seen.attempt is not None
    assert place.objects.failures == 0


def test_of_several_jobs_each_line_says_of_which_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A teardown ends many, one after the other."""
    world = World()
    world.submit()
    place = SimpleNamespace(objects=world.objects, stepper=world.stepper, clock=world.clock, records=world.records)
    Watch(cast("Any", place), JOB, show_output=False, named=True).until_done(until=lambda now: bool(now.recent))

    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(f" {JOB}: " in line for line in lines)


def test_a_refusal_ends_the_foreground_and_says_how_to_return() -> None:
    """The job is open, and may have a machine: status and cancel are named with its id."""
    world = World()
    world.submit()
    world.cloud.fail_next("offerings", PermissionDenied("ec2:DescribeSpotPriceHistory is not allowed."))
    place = SimpleNamespace(objects=world.objects, stepper=world.stepper, clock=world.clock, records=world.records)

    with pytest.raises(PermissionDenied) as refused:
        Watch(cast("Any", place), JOB, show_output=False).until_done(until=lambda _: False)

    assert f"accelctl status {JOB}" in refused.value.hint
    assert f"accelctl cancel {JOB}" in refused.value.hint


def test_leaving_a_job_that_was_asked_to_stop_says_what_finishes_it() -> None:
    """Nothing needs to be cancelled any more; somebody has to look whether its machine went."""
    world = World()
    launched(world)
    ask_to_cancel(world.records, JOB, world.clock.now())
    place = SimpleNamespace(objects=world.objects, stepper=world.stepper, clock=world.clock, records=world.records)

    with pytest.raises(Detached) as left:
        Watch(cast("Any", place), JOB, show_output=False).until_done(
            until=lambda _: os.kill(os.getpid(), signal.SIGINT) is not None
        )

    assert "asked to stop" in left.value.message
    assert left.value.hint == f"'accelctl step {JOB}' finishes it."


def test_whoever_watches_a_job_is_seen_to_look_after_it() -> None:
    """For as long as the terminal stays, and no longer."""
    world = World()
    world.submit(pace=QUICK)
    place = cast(
        "Any", SimpleNamespace(objects=world.objects, stepper=world.stepper, clock=world.clock, records=world.records)
    )
    seen: list[bool] = []

    def enough(record: JobRecord) -> bool:
        world.pass_time(record.spec.pace.lease + timedelta(minutes=2))
        seen.append(led(place, world.record))
        return len(seen) == 10

    Watch(place, JOB, show_output=False).until_done(until=enough)

    assert all(seen)
    assert not led(place, world.record)


def test_the_timer_steps_with_the_settings_of_the_shell_that_installed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profile, region, store and folder; never a key of the account."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("AWS_PROFILE", "team"), ("ACCELCTL_STORE", "ours"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(name, value)
    unit = service(["/bin/accelctl", "step"])

    assert f"WorkingDirectory={tmp_path}" in unit
    assert 'Environment="AWS_PROFILE=team"' in unit
    assert 'Environment="ACCELCTL_STORE=ours"' in unit
    assert "secret" not in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_a_unit_bears_odd_folders_programs_and_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd itself reads it: a space, a per cent sign, a dollar, quotes, a backslash."""
    folder = tmp_path / "50% of $HOME"
    folder.mkdir()
    program = folder / 'my "accelctl"'
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("ACCELCTL_THRESHOLDS", '[{"kind": "a\\\\b %h"}]')
    unit = tmp_path / "accelctl-step.service"
    unit.write_text(service([str(program), "step"]))

    checked = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)], capture_output=True, text=True, check=False
    )

    assert str(unit.name) not in checked.stderr
    assert str(program) not in checked.stderr
    assert r'Environment="ACCELCTL_THRESHOLDS=[{\"kind\": \"a\\\\b %%h\"}]"' in unit.read_text()


def test_a_notice_is_told_with_the_moment_at_which_the_machine_goes() -> None:
    """Two minutes of silence would look like a machine that hangs."""
    world = World()
    launched(world)
    before = world.record
    world.report(notice=world.notice(timedelta(minutes=2)))
    world.step()

    told = list(narrate(before, world.record))

    ends = world.clock.now() + timedelta(minutes=2)
    assert told == [f"attempt 1: the cloud takes the machine back at {ends:%H:%M:%S} UTC; the program saves"]
    assert list(narrate(world.record, world.record)) == []
