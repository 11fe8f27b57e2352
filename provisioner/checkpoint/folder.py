"""The checkpoint folder: one directory per step, whole or not there.

checkpoints/
├── step-00000100/             what the program wrote, and accelctl.json: the list of it, written last
├── step-00000200/
└── .step-00000300.partial/    being written, or left by a program that was killed; never read, never uploaded
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import ConfigError

SEAL = "accelctl.json"
_NAME = re.compile(r"step-(\d{8,})")
_log = logging.getLogger("provisioner.checkpoint")


@dataclass(frozen=True)
class Saved:
    """A complete checkpoint. `world_size` is the number of processes of the program that saved it."""

    step: int
    path: Path
    world_size: int = 1


def latest(folder: Path) -> Saved | None:
    """The newest complete checkpoint; one that is damaged is passed over with a warning in the log."""
    for step, path in _steps(folder):
        if saved := _unsealed(path, step=step):
            return saved
        _log.warning("checkpoint %s is damaged or incomplete: passed over", path)
    return None


def publish(folder: Path, write: Callable[[Path], object], *, step: int, world_size: int = 1) -> Saved:
    """Lets `write` fill a hidden directory, brings it to disk, and only then gives it its name.

    A process killed at any moment leaves the older checkpoints as they were. One of the same step is replaced.
    Raises ConfigError if `write` left no file; whatever `write` raises passes through, and leaves nothing behind.
    """
    final = folder / f"step-{step:08}"
    partial = folder / f".{final.name}.partial"
    _sweep(folder)
    partial.mkdir(parents=True)
    try:
        write(partial)
        _seal(partial, step=step, world_size=world_size)
    except BaseException:
        _delete(partial)
        raise
    if os.path.lexists(final):
        # A directory with content cannot be exchanged in one call; for this instant only older steps are there.
        _set_aside(final)
    partial.rename(final)
    _flush(folder)
    _sweep(folder)
    return Saved(step=step, path=final, world_size=world_size)


def prune(folder: Path, *, newest: int, keep: int) -> None:
    """Of the steps up to `newest` leaves the `keep` newest complete ones. Later steps are not ours to judge."""
    kept = 0
    for step, path in _steps(folder):
        if step > newest:
            continue
        if kept < keep and _unsealed(path, step=step):
            kept += 1
        else:
            _set_aside(path)
    _sweep(folder)


def _steps(folder: Path) -> Iterator[tuple[int, Path]]:
    """What is named as a checkpoint, newest first, complete or not."""
    names = [_NAME.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    for step, name in sorted(((int(name[1]), name[0]) for name in names if name), reverse=True):
        yield step, folder / name


def _seal(path: Path, *, step: int, world_size: int) -> None:
    files = {str(file.relative_to(path)): file.stat().st_size for file in _regular_files(path)}
    if not files:
        raise ConfigError(
            f"The checkpoint of step {step} has no file in it.",
            hint="the function given to save() writes into the folder that it is called with",
        )
    (path / SEAL).write_text(json.dumps({"step": step, "world_size": world_size, "files": files}, sort_keys=True))
    _flush_tree(path)


def _unsealed(path: Path, *, step: int) -> Saved | None:
    """The checkpoint if every file in its list is there with its size: cheap, and what a torn copy fails.

    Content is verified by hash where it travels, by the machine that restores it.
    """
    try:
        seal = json.loads((path / SEAL).read_bytes())
        whole = seal["step"] == step and all(
            (path / name).stat().st_size == size for name, size in seal["files"].items()
        )
        return Saved(step=step, path=path, world_size=int(seal["world_size"])) if whole else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # no list, or not one of ours: the caller says so


def _set_aside(path: Path) -> None:
    """Renamed before it is deleted, so that a process killed while deleting leaves no half checkpoint in its name."""
    path.rename(path.with_name(f".{path.name}.old.partial"))


def _sweep(folder: Path) -> None:
    """Deletes what was set aside, and what an earlier process was writing when it was killed."""
    for path in folder.glob(".step-*.partial"):
        _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _regular_files(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def _flush_tree(path: Path) -> None:
    """Files before the directories that name them, deepest first."""
    for file in _regular_files(path):
        _flush(file)
    for directory, _, _ in os.walk(path, topdown=False):
        _flush(Path(directory))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
