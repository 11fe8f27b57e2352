"""What the machines of a job wrote: reports, checkpoints, output."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TypeVar

import msgspec

from provisioner.domain.jobs import Checkpoint, JobRecord
from provisioner.domain.reports import NodeReport
from provisioner.errors import CloudError
from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.records import prefix

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A file of a checkpoint; `path` is relative to the work folder."""

    path: str
    bytes: int
    sha256: str
    mode: int = 0o644
    modified_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one rank saved."""

    rank: int
    files: tuple[SavedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One complete checkpoint."""

    sequence: int
    attempt: int
    at: datetime
    bytes: int
    parts: tuple[Part, ...]
    world_size: int = 1

    @property
    def files(self) -> tuple[SavedFile, ...]:
        return tuple(file for part in self.parts for file in part.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogObject:
    """A piece of a program's output."""

    key: str
    attempt: int
    size: int


class Unreadable(CloudError):
    """What a machine wrote cannot be understood: it is broken, or of another version."""


def untold(_: int, __: str) -> None:
    """Where nobody asks which manifests are damaged."""


class Progress:
    """Reads what the agents of one store's jobs have written."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def report(self, job: str, attempt: int, *, rank: int = 0) -> NodeReport | None:
        """None before the machine's first word. Raises Unreadable for one that cannot be understood."""
        try:
            content = self._objects.get(f"{prefix(job)}attempts/{attempt}/nodes/{rank}.json")
        except ObjectMissing:
            return None
        return decoded(content, NodeReport, f"the report of job '{job}', attempt {attempt}")

    def readable(self, job: str, attempt: int) -> NodeReport | None:
        """As `report`; None also for one that cannot be understood."""
        try:
            return self.report(job, attempt)
        except Unreadable:
            return None

    def manifests(self, job: str, *, damaged: Callable[[int, str], None] = untold) -> Iterator[Manifest]:
        """Newest first. A damaged one is told with its sequence, and never stands in the way of those before it."""
        keys = [stored.key for stored in self._objects.listing(f"{prefix(job)}checkpoints")]
        for key in reversed(keys):
            try:
                content = self._objects.get(key)
            except ObjectMissing:  # pruned since the listing
                continue
            try:
                yield decoded(content, Manifest, key)
            except Unreadable as problem:
                damaged(int(PurePosixPath(key).stem), problem.message)

    def has_checkpoint(self, job: str, sequence: int) -> bool:
        return self._objects.exists(f"{prefix(job)}checkpoints/{sequence:08}.json")

    def newest_checkpoint(self, job: str) -> Checkpoint | None:
        manifest = next(self.manifests(job), None)
        if manifest is None:
            return None
        return Checkpoint(
            sequence=manifest.sequence, attempt=manifest.attempt, at=manifest.at, bytes=manifest.bytes,
            files=len(manifest.files),
        )  # fmt: skip

    def kept_bytes(self, record: JobRecord) -> int:
        """Of all that is in the store under the job's name, and of its work folder."""
        sent = record.spec.workdir.bytes if record.spec.workdir else 0
        return sent + sum(stored.size for stored in self._objects.listing(prefix(record.id)))

    def logs(self, job: str) -> list[LogObject]:
        """All output so far, in order of attempt, rank and time."""
        found: list[LogObject] = []
        for stored in self._objects.listing(f"{prefix(job)}attempts"):
            parts = stored.key.removeprefix(prefix(job)).split("/")
            if parts[2] in ("logs", "console.log"):
                found.append(LogObject(key=stored.key, attempt=int(parts[1]), size=stored.size))
        return sorted(found, key=lambda log: (log.attempt, log.key))


def decoded(content: bytes, kind: type[T], what: str) -> T:
    """A file's name that is no UTF-8 is a lone surrogate in the agent's JSON: only the standard parser takes that."""
    try:
        return msgspec.convert(json.loads(content), type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"{what} is damaged: {error}.") from error
