"""When a save is due, what a save leaves, and what a restore finds."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.checkpoint import Checkpoints, Environment
from provisioner.errors import ConfigError


class Watch:
    """A timer that stands still until told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def checkpoints(folder: Path, *, keep: int = 2, **environment: Any) -> Checkpoints:
    return Checkpoints(folder, keep=keep, environment=Environment(**environment))


def writes(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "state").write_text(text)


def read(folder: Path) -> str:
    return (folder / "state").read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_restore_without_a_checkpoint(tmp_path: Path) -> None:
    """Without a checkpoint a program begins at step 0 with its fresh state."""
    assert checkpoints(tmp_path / "none").restore(read, fresh="fresh") == (0, "fresh")


def test_restore_reads_the_newest(tmp_path: Path) -> None:
    """A later process goes on from the newest step, in the order of numbers and not of names or times."""
    first = checkpoints(tmp_path)
    for step in (999_999_999, 100_000_000, 7):
        first.save(step, writes(f"at {step}"))
    assert checkpoints(tmp_path).restore(read, fresh="") == (999_999_999, "at 999999999")


def test_latest_says_step_path_and_world(tmp_path: Path) -> None:
    """The newest checkpoint comes with its step, its folder, and the number of processes that saved it."""
    saved = checkpoints(tmp_path, world_size=4).save(12, writes("x"))
    assert checkpoints(tmp_path).latest() == saved
    assert (saved.step, saved.path, saved.world_size) == (12, tmp_path / "step-00000012", 4)


def test_the_write_function_works_in_a_folder_that_nobody_takes(tmp_path: Path) -> None:
    """While it is being written, a checkpoint is hidden and named as partial, and the older one is the newest."""
    saver = checkpoints(tmp_path)
    saver.save(1, writes("one"))
    seen: list[object] = []

    def write(folder: Path) -> None:
        writes("two")(folder)
        seen.extend([folder.name, saver.latest()])

    saver.save(2, write)
    assert seen[0] == ".step-00000002.partial"
    assert getattr(seen[1], "step", None) == 1


def test_keep_prunes_the_oldest_once_the_new_one_is_there(tmp_path: Path) -> None:
    """While the third is written the first two are still there; afterwards the first is gone."""
    saver = checkpoints(tmp_path, keep=2)
    saver.save(1, writes("one"))
    saver.save(2, writes("two"))
    during: list[str] = []

    def write(folder: Path) -> None:
        writes("three")(folder)
        during.extend(names(tmp_path))

    saver.save(3, write)
    assert {"step-00000001", "step-00000002"} <= set(during)
    assert names(tmp_path) == ["step-00000002", "step-00000003"]


def test_saving_an_earlier_step_leaves_the_later_ones(tmp_path: Path) -> None:
    """A save counts the steps up to its own only, so it prunes neither itself nor what is ahead of it."""
    saver = checkpoints(tmp_path, keep=1)
    saver.save(300, writes("later"))
    saver.save(100, writes("earlier"))
    saver.save(150, writes("now"))
    assert names(tmp_path) == ["step-00000150", "step-00000300"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    """The second save of a step is the one that counts, with nothing of the first left in it."""
    saver = checkpoints(tmp_path)
    saver.save(5, lambda folder: (folder / "old").write_text("old"))
    saver.save(5, writes("new"))
    assert saver.restore(read, fresh="") == (5, "new")
    assert names(tmp_path / "step-00000005") == ["accelctl.json", "state"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """What the write function raises reaches the caller, and the folder is as it was before."""
    saver = checkpoints(tmp_path)
    saver.save(1, writes("one"))

    def write(folder: Path) -> None:
        writes("half")(folder)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        saver.save(2, write)
    assert names(tmp_path) == ["step-00000001"]


def test_an_empty_checkpoint_is_refused(tmp_path: Path) -> None:
    """A write function that writes elsewhere would lose everything without a word, so that is an error."""
    with pytest.raises(ConfigError, match="has no file"):
        checkpoints(tmp_path).save(1, lambda folder: None)
    assert names(tmp_path) == []


def test_nested_folders_are_part_of_it(tmp_path: Path) -> None:
    """Files at any depth are listed with their sizes, and a link is left as it is."""

    def write(folder: Path) -> None:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "c").write_bytes(b"123")
        (folder / "link").symlink_to("a/b/c")

    saved = checkpoints(tmp_path).save(1, write)
    assert json.loads((saved.path / "accelctl.json").read_text())["files"] == {"a/b/c": 3}
    assert checkpoints(tmp_path).latest() == saved


def truncate(path: Path) -> None:
    (path / "state").write_text("")


def lose_file(path: Path) -> None:
    (path / "state").unlink()


def lose_seal(path: Path) -> None:
    (path / "accelctl.json").unlink()


def tear_seal(path: Path) -> None:
    (path / "accelctl.json").write_text('{"step": 2, "files"')


def foreign_seal(path: Path) -> None:
    (path / "accelctl.json").write_text("[]")


def misname(path: Path) -> None:
    path.rename(path.with_name("step-00000009"))


@pytest.mark.parametrize("damage", [truncate, lose_file, lose_seal, tear_seal, foreign_seal, misname])
def test_a_damaged_checkpoint_is_passed_over_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    """However the newest is damaged, the one before it is restored, and the log names what was passed over."""
    saver = checkpoints(tmp_path)
    saver.save(1, writes("one"))
    damage(saver.save(2, writes("two")).path)
    with caplog.at_level(logging.WARNING):
        assert checkpoints(tmp_path).restore(read, fresh="") == (1, "one")
    assert "is damaged or incomplete" in caplog.text


def test_a_damaged_checkpoint_does_not_count_as_kept(tmp_path: Path) -> None:
    """Pruning keeps whole checkpoints, and a damaged one goes."""
    saver = checkpoints(tmp_path, keep=2)
    saver.save(1, writes("one"))
    truncate(saver.save(2, writes("two")).path)
    saver.save(3, writes("three"))
    assert names(tmp_path) == ["step-00000001", "step-00000003"]


def test_what_is_not_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    """Other files in the folder are neither read nor removed, and partial folders are never read."""
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "step-final").mkdir()
    (tmp_path / ".step-00000009.partial").mkdir()
    saver = checkpoints(tmp_path, keep=1)
    assert saver.latest() is None
    saver.save(1, writes("one"))
    saver.save(2, writes("two"))
    assert names(tmp_path) == ["notes.txt", "step-00000002", "step-final"]


def test_due_by_steps(tmp_path: Path) -> None:
    """A save is due at every multiple of every_steps, and at no other step."""
    saver = Checkpoints(tmp_path, every_steps=10, environment=Environment())
    due = [step for step in range(1, 36) if saver.due(step) and saver.save(step, writes("x"))]
    assert due == [10, 20, 30]


def test_due_by_steps_when_the_multiple_is_stepped_over(tmp_path: Path) -> None:
    """A program that asks every 4 steps saves at the first of them beyond each multiple of 10."""
    saver = Checkpoints(tmp_path, every_steps=10, environment=Environment())
    saver.restore(read, fresh="")
    due = [step for step in range(4, 41, 4) if saver.due(step) and saver.save(step, writes("x"))]
    assert due == [12, 20, 32, 40]


def test_nothing_is_due_right_after_a_restore(tmp_path: Path) -> None:
    """The step that was restored need not be saved again, and the next multiple is the next that is due."""
    Checkpoints(tmp_path, environment=Environment()).save(20, writes("x"))
    saver = Checkpoints(tmp_path, every_steps=10, environment=Environment())
    saver.restore(read, fresh="")
    assert [step for step in range(20, 31) if saver.due(step)] == [30]


@pytest.mark.parametrize("every", [timedelta(minutes=5), 300, 300.0])
def test_due_by_time(tmp_path: Path, every: timedelta | float) -> None:
    """A save is due once `every` (a timedelta, or seconds) went by since the last, on a clock that cannot jump."""
    watch = Watch()
    saver = Checkpoints(tmp_path, every=every, environment=Environment(), timer=watch)
    watch.seconds = 299
    assert not saver.due(1)
    watch.seconds = 300
    assert saver.due(2)
    saver.save(2, writes("x"))
    watch.seconds = 599
    assert not saver.due(3)
    watch.seconds = 600
    assert saver.due(4)


def test_without_an_interval_nothing_is_due(tmp_path: Path) -> None:
    """Asked for neither steps nor time, only an interruption makes a save due."""
    assert not any(checkpoints(tmp_path).due(step) for step in range(1, 1000))


@pytest.mark.parametrize("wrong", [{"every_steps": 0}, {"every": -1}, {"every": timedelta(0)}, {"keep": 0}])
def test_a_senseless_number_is_refused_by_name(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """An interval or a count below 1 is an error that names it."""
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} is "):
        Checkpoints(tmp_path, environment=Environment(), **wrong)


def test_a_negative_step_is_refused(tmp_path: Path) -> None:
    """Steps are counted from 0 on."""
    with pytest.raises(ConfigError, match="step to save is -1"):
        checkpoints(tmp_path).save(-1, writes("x"))


def test_only_rank_0_saves(tmp_path: Path) -> None:
    """Every rank restores the same checkpoint, and a save by another rank than 0 is refused, not dropped."""
    checkpoints(tmp_path, rank=0, world_size=2).save(5, writes("five"))
    other = checkpoints(tmp_path, rank=1, world_size=2)
    assert other.restore(read, fresh="") == (5, "five")
    with pytest.raises(ConfigError, match="Rank 1 of 2 may not save"):
        other.save(6, writes("six"))


def test_the_environment_of_a_job() -> None:
    """The folder, the file, the attempt and the ranks come from the machine's variables."""
    environment = Environment.read(
        {
            "ACCELCTL_JOB": "j-1",
            "ACCELCTL_ATTEMPT": "3",
            "ACCELCTL_CHECKPOINT_DIR": "/job/checkpoints",
            "ACCELCTL_INTERRUPTION_FILE": "/job/interrupted",
            "RANK": "2",
            "WORLD_SIZE": "8",
        }
    )
    job = Checkpoints(environment=environment)
    assert (job.folder, job.attempt, job.rank, job.world_size) == (Path("/job/checkpoints"), 3, 2, 8)
    assert (environment.job, environment.interruption_file) == ("j-1", Path("/job/interrupted"))


def test_the_environment_outside_accelctl() -> None:
    """Started by hand, a program saves in checkpoints/ as attempt 1, alone and never interrupted."""
    job = Checkpoints(environment=Environment.read({}))
    assert (job.folder, job.attempt, job.rank, job.world_size) == (Path("checkpoints"), 1, 0, 1)
    assert not job.interrupted


@pytest.mark.parametrize(("name", "value"), [("ACCELCTL_ATTEMPT", "0"), ("RANK", "-1"), ("WORLD_SIZE", "two")])
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    """A variable that is no whole number, or too small, is an error that names it."""
    with pytest.raises(ConfigError, match=name):
        Environment.read({name: value})
