"""Puts what a machine saved into a folder, and never anywhere else: a manifest is data from a machine."""

import json
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path, PurePosixPath

import msgspec

from provisioner.agent.content import is_content
from provisioner.agent.links import leads_down, within
from provisioner.agent.pieces import Changed
from provisioner.errors import CloudError, ConfigError
from provisioner.jobs.progress import SavedFile

YOURS = ".yours"
"""What is added to the name of a file that was changed here."""
LIST = ".accelctl-fetched.json"
"""In the folder: path -> size and time of what was put there."""


def is_there(target: Path, file: SavedFile) -> bool:
    """Whether that very content is in place already."""
    return target.is_file() and not target.is_symlink() and holds(target, file)


def holds(held: Path, file: SavedFile) -> bool:
    """Whether it has that content. A name that says nothing of a content is of none."""
    try:
        return is_content(held, file.sha256)
    except (ValueError, Changed):
        return False


class Placed:
    """What was put into a folder, as it was left: anything else there is somebody's own."""

    def __init__(self, folder: Path) -> None:
        self._list = folder / LIST
        self._stamps: dict[str, tuple[int, int]] = {}
        with suppress(OSError, ValueError):  # a list that cannot be read makes everything somebody's own
            self._stamps = msgspec.convert(json.loads(self._list.read_text("ascii")), dict[str, tuple[int, int]])

    def set_aside(self, file: SavedFile, target: Path) -> Path | None:
        """Where a file goes that was not put there, or was changed since; None for any other."""
        if target.is_symlink() or not target.is_file() or self._stamps.get(file.path) == stamp(target):
            return None
        names = chain([""], (f".{number}" for number in count(2)))
        beside = next(free for more in names if not (free := target.with_name(f"{target.name}{YOURS}{more}")).exists())
        target.replace(beside)
        return beside

    def write(self, files: Iterable[SavedFile], targets: Iterable[Path]) -> None:
        """These are there now."""
        new = {file.path: stamp(target) for file, target in zip(files, targets, strict=True) if target.is_file()}
        beside = self._list.with_name(f"{LIST}.{os.getpid()}")
        beside.write_text(json.dumps(self._stamps | new), "ascii")  # a name may be no text
        beside.replace(self._list)


def stamp(target: Path) -> tuple[int, int]:
    """Size, and when it was written last, in nanoseconds."""
    status = target.stat()
    return status.st_size, status.st_mtime_ns


def place(file: SavedFile, held: Path, target: Path, folder: Path) -> None:
    """Renames, so that a target is old or new and never half."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(file.mode):
        linked(held, target, folder)
        return
    held.chmod(file.mode & 0o777)
    held.replace(target)
    if file.modified_ns:
        os.utime(target, ns=(file.modified_ns, file.modified_ns))


def linked(held: Path, target: Path, folder: Path) -> None:
    """The file that holds where a link leads becomes that link. Raises CloudError for one that leads out."""
    leads = os.fsdecode(held.read_bytes())
    held.unlink()
    if not within(str(folder), str(target), leads):
        raise CloudError(
            f"a checkpoint has a link that leads out of its folder: {leads}.", hint="do not trust this job."
        )
    target.unlink(missing_ok=True)
    target.symlink_to(leads)


def inside(folder: Path, path: str) -> Path:
    """The target of that path: it may not lead out of the folder, nor through a link in it."""
    pure = PurePosixPath(path)
    if not leads_down(path):
        raise CloudError(f"a checkpoint names a path outside of its folder: {path}.", hint="do not trust this job.")
    for above in pure.parents[:-1]:
        if (folder / above).is_symlink():
            raise ConfigError(
                f"'{folder / above}' is a link, and '{path}' would be written behind it.",
                hint="remove the link, or fetch into an empty folder.",
            )
    return folder / pure
