"""A program killed with -9, at any of its file operations or between two steps, loses no checkpoint."""

import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from provisioner.checkpoint import Checkpoints, Environment, Saved

SAVE_AND_DIE = Path(__file__).with_name("save_and_die.py")
ROOT = Path(__file__).parents[2]


def save(folder: Path, step: int, *, die_at: int = 0) -> int:
    """Saves in a process of its own; its exit code."""
    command = [sys.executable, "-S", str(SAVE_AND_DIE), str(folder), str(step), str(die_at)]
    return subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, timeout=60, check=False).returncode


def content(path: Path) -> str:
    """What its files say: one and the same, or it is no whole checkpoint."""
    assert sorted(entry.name for entry in path.iterdir()) == ["accelctl.json", "deep", "second"]
    texts = {(path / "deep" / "first").read_text(), (path / "second").read_text()}
    assert len(texts) == 1
    return texts.pop()


def newest_of(folder: Path) -> Saved:
    latest = Checkpoints(folder, environment=Environment()).latest()
    assert latest
    return latest


def write_old(folder: Path) -> None:
    (folder / "deep").mkdir()
    for name in ("deep/first", "second"):
        (folder / name).write_text("old")


@pytest.mark.parametrize(("step", "before"), [(3, 2), (2, 1)], ids=["a new step", "a step again"])
def test_killed_at_every_file_operation_of_a_save(tmp_path: Path, step: int, before: int) -> None:
    """Wherever the kill comes, whatever is named as a checkpoint is whole, and a later save clears what was left."""
    newest: list[int] = []
    for operation in count(1):
        folder = tmp_path / str(operation)
        checkpoints = Checkpoints(folder, keep=2, environment=Environment())
        for old in (1, 2):
            checkpoints.save(old, write_old)
        code = save(folder, step, die_at=operation)
        assert {content(path) for path in folder.glob("step-*")} <= {"old", "new"}
        newest.append(newest_of(folder).step)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert save(folder, step) == 0
        assert (newest_of(folder).step, content(newest_of(folder).path)) == (step, "new")
        assert not list(folder.glob(".*"))
    assert set(newest) == {before, step}
    assert len(newest) > 20


def test_killed_in_the_middle_of_training(workplace: Callable[..., Any]) -> None:
    """A program killed without notice resumes at its last save and ends with the exact sum."""
    job = workplace("job")
    options = ("--steps", 60, "--save-every", 2)
    first = job.start("count.py", *options, "--pace", 0.2, "--print-every", 1)
    first.wait_for("step 5 of 60")
    first.process.kill()
    assert first.end()[0] == -signal.SIGKILL
    result = job.run("count.py", *options, "--pace", 0, ACCELCTL_ATTEMPT=2)
    assert result["sum"] == sum(range(60))
    (_, begin), (attempt, resumed) = result["attempts"]
    assert (begin, attempt) == (0, 2)
    assert resumed >= 4
    assert resumed % 2 == 0
