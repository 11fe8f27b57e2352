"""The job records: changed by compare-and-swap only, so that no update is ever lost.

An empty object `open/<job>` is there for as long as a job may need a step: written before the record, removed after
the write that ends the job. Whoever looks after the open jobs so reads these alone, however many there ever were.
"""

import logging
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from provisioner.domain.jobs import JobRecord
from provisioner.errors import AccelctlError, ConfigError
from provisioner.jobs.objects import ObjectChanged, ObjectMissing, Objects

VERSION = 1
ROOT = "jobs"
OPEN = "open"
JOB_ID = r"[0-9]{8}-[0-9]{6}-[a-z0-9]{5}"
STORE = {
    ROOT: rf"{JOB_ID}/.+", OPEN: JOB_ID, "names": "[^/]+", "workdirs": r"[0-9a-f]{64}\.tar\.gz",
    "agents": r"[0-9a-f]{64}\.pyz", "heartbeats": rf"[^/]+/{JOB_ID}/.+", "steppers": r"[^/]+\.json",
}  # fmt: skip
"""All that jobs leave in a store (docs/job-layout.md), which may be a bucket with other things in it."""

log = logging.getLogger(__name__)


class LostRace(Exception):
    """Somebody else changed the record first: read it again before deciding anything."""


class JobMissing(ConfigError):
    """No job of that id or name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record as it was read or written, with the tag that the next write must match."""

    record: JobRecord
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A job whose record is damaged, or a newer accelctl's."""

    job: str
    problem: str


class _Versioned(msgspec.Struct):
    version: int


def prefix(job: str) -> str:
    return f"{ROOT}/{job}/"


class Records:
    """The records of one store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def create(self, record: JobRecord) -> Held:
        """Raises LostRace where the id is taken by another."""
        record = signed(record)
        self._objects.put(f"{OPEN}/{record.id}", b"")
        try:
            return Held(record=record, tag=self._objects.create(key(record.id), encode(record)))
        except ObjectChanged:
            return self._own_write(record)

    def read(self, job: str) -> Held:
        """Raises JobMissing; ConfigError where a newer accelctl wrote it."""
        try:
            content, tag = self._objects.get_tagged(key(job))
        except ObjectMissing:
            raise missing(job) from None
        return Held(record=decode(content, job), tag=tag)

    def write(self, held: Held, record: JobRecord) -> Held:
        """Replaces what `held` saw. Raises LostRace where somebody else did so first."""
        record = signed(replace(record, revision=held.record.revision + 1))
        try:
            written = Held(record=record, tag=self._objects.replace(key(record.id), encode(record), held.tag))
        except (ObjectChanged, ObjectMissing):
            written = self._own_write(record)
        if record.ended_at is not None:
            self._close(record.id)
        return written

    def reopen(self, held: Held, record: JobRecord) -> Held:
        """As `write`, of a record that had ended: whoever looks after open jobs sees it again. Raises LostRace."""
        mark = f"{OPEN}/{record.id}"
        self._objects.put(mark, b"")
        written = self.write(held, record)
        self._objects.put(mark, b"")  # somebody may have found the old record under the mark, and removed it
        return written

    def _close(self, job: str) -> None:
        """A mark that stays costs the next look one read, and goes then."""
        try:
            self._objects.delete(f"{OPEN}/{job}")
        except AccelctlError as failure:
            log.debug("the mark of %s stays: %s", job, failure.message)

    def _own_write(self, record: JobRecord) -> Held:
        """A refusal may be the echo of our own write, whose answer was lost: the writer's name in it tells."""
        try:
            now = self.read(record.id)
        except JobMissing:
            raise LostRace(record.id) from None
        if now.record.writer != record.writer:
            raise LostRace(record.id)
        return now

    def ids(self) -> Iterator[str]:
        """Every job of the store, oldest first: ids sort by time."""
        for folder in self._objects.folders(ROOT):
            yield folder.rsplit("/", 1)[-1]

    def newest_ids(self) -> list[str]:
        return list(self.ids())[::-1]

    def open_ids(self) -> Iterator[str]:
        """The jobs that may need a step, oldest first; a few of them may be over, or have no record yet."""
        for mark in self._objects.listing(f"{OPEN}/"):
            yield mark.key.rsplit("/", 1)[-1]

    def open(self) -> Iterator[JobRecord]:
        """The jobs that are not over, oldest first."""
        for record in self._readable(self.open_ids()):
            if record.ended_at is None:
                yield record
            else:
                self._close(record.id)
                if (now := self._look(record.id)) and (isinstance(now, Unreadable) or now.ended_at is None):
                    self._objects.put(f"{OPEN}/{record.id}", b"")  # resumed meanwhile

    def all(self) -> Iterator[JobRecord]:
        """Every job of the store, oldest first."""
        return self._readable(self.ids())

    def recent(self, most: int) -> tuple[list[JobRecord], int]:
        """The active jobs and the `most` newest, oldest first, and how many older ones are not among them."""
        known = self.newest_ids()
        older = {*known[most:]} - {*self.open_ids()}
        return list(self._readable(job for job in reversed(known) if job not in older)), len(older)

    def _readable(self, jobs: Iterable[str]) -> Iterator[JobRecord]:
        """Those that can be read; a damaged or newer one is warned of and stops nobody."""
        for one in map(self._look, jobs):
            if isinstance(one, Unreadable):
                log.warning("%s", one.problem)
            elif one is not None:
                yield one

    def _look(self, job: str) -> "JobRecord | Unreadable | None":
        """None for one that vanished meanwhile."""
        try:
            return self.read(job).record
        except JobMissing:
            return None
        except ConfigError as problem:
            return Unreadable(job=job, problem=problem.message)

    def find(self, wanted: str) -> JobRecord:
        """By id, or by name (the newest of that name). Raises JobMissing."""
        if found := self._by_id(wanted):
            return found
        for record in self._readable(self.newest_ids()):
            if record.spec.name == wanted:
                return record
        raise missing(wanted)

    def find_one(self, wanted: str) -> JobRecord:
        """As `find`, for what cannot be taken back. Raises ConfigError where several active jobs have the name."""
        if found := self._by_id(wanted):
            return found
        active = [record for record in self.open() if record.spec.name == wanted]
        if len(active) > 1:
            ids = ", ".join(record.id for record in active)
            raise ConfigError(f"{len(active)} active jobs are named '{wanted}'.", hint=f"say which: {ids}.")
        return active[0] if active else self.find(wanted)

    def _by_id(self, wanted: str) -> JobRecord | None:
        try:
            return self.read(wanted).record if re.fullmatch(JOB_ID, wanted) else None
        except JobMissing:
            return None


def missing(wanted: str) -> JobMissing:
    return JobMissing(f"there is no job '{wanted}'.", hint="'accelctl status' lists the jobs.")


def fit_name(text: str) -> str:
    """A name that is also a label value: letters, digits, dot, dash, underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:63] or "job"


def key(job: str) -> str:
    return f"{prefix(job)}record.json"


def signed(record: JobRecord) -> JobRecord:
    return replace(record, writer=uuid.uuid4().hex)


def encode(record: JobRecord) -> bytes:
    return msgspec.json.encode(record)


def decode(content: bytes, job: str) -> JobRecord:
    """Raises ConfigError for a record of a newer version, or one that is damaged."""
    try:
        version = msgspec.json.decode(content, type=_Versioned).version
        if version > VERSION:
            raise ConfigError(
                f"job '{job}' was written by a newer accelctl (record version {version}, this one knows {VERSION}).",
                hint="upgrade accelctl; nothing was changed.",
            )
        return msgspec.json.decode(content, type=JobRecord)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the record of job '{job}' is damaged: {error}.") from error
