"""The work folder: what of it is sent, and the archive that is named by its content."""

import errno
import gzip
import os
import re
import stat
import tarfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import IO

from provisioner.agent.content import sha256_of
from provisioner.domain.jobs import Archive
from provisioner.errors import ConfigError
from provisioner.jobs.ignored import Ignored
from provisioner.jobs.objects import Objects
from provisioner.jobs.records import JOB_ID

LARGEST = 512 * 1024**2
"""Bytes of a work folder that are sent; data belongs into a bucket."""
NEVER = re.compile(rf"\.git|__pycache__|\.venv|{JOB_ID}")
"""The last is what `fetch` makes where it is not told where to."""
NAMED = 5
REMEDIES = {
    errno.EACCES: "make it readable, or add it to .gitignore.",
    errno.ENOSPC: "make room where temporary files go, or set TMPDIR.",
}
LONG_AGO = 946684800
"""The date of every file, so that the same content is the same archive: 1 January 2000 (ZIP knows none before 1980)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in the folder: `path` relative to it, `target` of a link."""

    path: PurePosixPath
    mode: int
    size: int = 0
    target: str = ""
    folder: bool = False


def send(
    objects: Objects, folder: Path, *, keep: frozenset[PurePosixPath] = frozenset(), largest: int = LARGEST
) -> Archive:
    """Sends the folder unless the store has it. Paths in `keep` stay here: the job makes them itself.

    Raises ConfigError where it cannot be read or packed, or is larger than `largest` bytes.
    """
    with named(folder), NamedTemporaryFile(suffix=".tar.gz") as packed:
        entries = fitting(folder, keep, largest)
        pack(folder, entries, packed)
        packed.flush()
        name = sha256_of(packed.name)
        key = f"workdirs/{name}.tar.gz"
        if not objects.exists(key):
            objects.put(key, Path(packed.name))
        return Archive(key=key, sha256=name, bytes=Path(packed.name).stat().st_size)


def fitting(folder: Path, keep: frozenset[PurePosixPath], largest: int = LARGEST) -> tuple[Entry, ...]:
    """What would be sent. Raises ConfigError where it cannot be read or is too large."""
    with named(folder):
        entries = tuple(listed(folder, keep))
    refuse_large(folder, entries, largest)
    if not entries and any(folder.iterdir()):
        raise ConfigError(
            f"--workdir: nothing of '{folder}' would be sent: git, or a .gitignore above it, ignores it all.",
            hint="'git init' there makes it a repository of its own; or name another folder.",
        )
    return entries


def listed(folder: Path, keep: frozenset[PurePosixPath] = frozenset()) -> Iterator[Entry]:
    """What is sent: all that git does not ignore, in order of path. Raises OSError, ConfigError where it is none."""
    if not folder.is_dir():
        raise ConfigError(f"--workdir: '{folder}' is not a folder.", hint="name the folder that the command runs in.")
    yield from walk(folder, PurePosixPath(), Ignored(folder), keep=keep)


@contextmanager
def named(folder: Path) -> Generator[None]:
    """What the disk says becomes the user's: the path, and what to do about it. Raises ConfigError."""
    try:
        yield
    except OSError as error:
        hint = REMEDIES.get(error.errno or 0, "run it again when nothing writes there.")
        raise ConfigError(f"--workdir: {error.filename or folder}: {error.strerror or error}.", hint=hint) from error


def walk(root: Path, below: PurePosixPath, ignored: Ignored, *, keep: frozenset[PurePosixPath]) -> Iterator[Entry]:
    for item in sorted(os.scandir(root / below), key=lambda item: item.name):
        path = below / item.name
        folder = item.is_dir(follow_symlinks=False)
        if NEVER.fullmatch(item.name) or path in keep or ignored(path, folder=folder):
            continue
        found = item.stat(follow_symlinks=False)
        if item.is_symlink():
            yield Entry(path=path, mode=0o777, target=str(Path(item.path).readlink()))
        elif folder:
            yield Entry(path=path, mode=stat.S_IMODE(found.st_mode), folder=True)
            yield from walk(root, path, ignored, keep=keep)
        elif stat.S_ISREG(found.st_mode):
            yield Entry(path=path, mode=stat.S_IMODE(found.st_mode), size=found.st_size)


def refuse_large(folder: Path, entries: tuple[Entry, ...], largest: int) -> None:
    total = sum(entry.size for entry in entries)
    if total <= largest:
        return
    biggest = sorted(entries, key=lambda entry: -entry.size)[:NAMED]
    names = ", ".join(f"{entry.path} ({entry.size / 1024**2:.0f} MiB)" for entry in biggest)
    held, allowed = f"{total / 1024**2:.0f} MiB", f"{largest / 1024**2:.0f} MiB"
    raise ConfigError(
        f"--workdir: '{folder}' holds {held}, more than the {allowed} that are sent; largest: {names}.",
        hint="add data to .gitignore and read it from a bucket with --access.",
    )


def pack(folder: Path, entries: tuple[Entry, ...], out: IO[bytes]) -> None:
    """A tar whose bytes depend on paths, modes, links and contents alone. Raises OSError."""
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=1, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            add(tar, folder, entry)


def add(tar: tarfile.TarFile, folder: Path, entry: Entry) -> None:
    header = tarfile.TarInfo(str(entry.path))
    header.mode, header.mtime = entry.mode, LONG_AGO
    if entry.target:
        header.type, header.linkname = tarfile.SYMTYPE, entry.target
        return tar.addfile(header)
    if entry.folder:
        header.type = tarfile.DIRTYPE
        return tar.addfile(header)
    with (folder / entry.path).open("rb") as content:
        header.size = os.fstat(content.fileno()).st_size
        return tar.addfile(header, content)
