"""Who is logged in is counted, and not guessed where nobody can tell."""

# The agent carries no annotations.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import shutil
import subprocess
from pathlib import Path

import pytest

from provisioner.agent import sessions
from tests.agent.machine import JOB, Machine, until

TWO = "ann pts/0 2026-11-21 09:00 (10.0.0.1)\nbob pts/1 2026-11-21 09:05 (10.0.0.2)\n"


def command(folder: Path, script: str) -> None:
    (folder / "who").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "who").chmod(0o755)


@pytest.mark.parametrize(("script", "said"), [(f"printf '{TWO}'", 2), ("exit 0", 0), ("exit 1", None)])
def test_logins_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: int | None) -> None:
    """As `who` tells; where it fails, nobody can tell."""
    command(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    beside = sessions.workers()

    assert sessions.count() == (None if said is None else said + beside)


def test_a_machine_without_who_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, and not nobody."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert sessions.count() is None


def test_a_process_with_an_odd_name_costs_nobody_the_machine() -> None:
    """The kernel cuts names after fifteen bytes, here in the midst of a letter."""
    rename = "open('/proc/self/comm', 'wb').write(b'\\xc3\\xa9' * 8); print(1, flush=True); input()"
    with subprocess.Popen(["python3", "-c", rename], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as odd:
        assert odd.stdout
        odd.stdout.readline()

        assert isinstance(sessions.workers(), int)
        odd.communicate(b"\n")


def test_a_session_through_session_manager_is_one(tmp_path: Path) -> None:
    """It is no login: its process is what there is."""
    worker = tmp_path / "ssm-session-worker"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", worker)
    before = sessions.workers()
    with subprocess.Popen([worker, "60"]) as running:
        until(lambda: sessions.workers() == before + 1, "the session")
        running.kill()


def test_who_is_logged_in_is_in_the_pulse_at_once(machine: Machine) -> None:
    """Not only with the next five minutes."""
    machine.python("import time, pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)")
    machine.start()
    command(machine.home / "bin", 'cat "$HOME/logins"; exit 0')

    def told() -> set[int]:
        names = [key.rsplit("/", 1)[-1].split(".") for key in machine.store.listed(f"heartbeats/us-east-1/{JOB}/")]
        return {int(parts[4]) for parts in names if parts[2] == "run"}

    before = until(told, "the pulse of a running program")
    (machine.home / "logins").write_text(TWO)
    until(lambda: told() == {min(before) + 2}, "the two who logged in")
    (machine.work / "go").touch()
    machine.gone()
