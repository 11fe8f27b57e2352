"""A new job: its record and what its machines will need, sent to the store before anything is bought."""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from provisioner.domain.jobs import Archive, JobRecord, JobSpec
from provisioner.errors import CloudError
from provisioner.jobs.names import claim
from provisioner.jobs.objects import Objects
from provisioner.jobs.records import VERSION, LostRace, Records
from provisioner.jobs.workdir import send

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a user asks for, and in whose name. Of a `unique` name only one job is active."""

    spec: JobSpec
    unique: bool = False
    folder: Path
    owner: str
    store: str
    store_region: str


def submit(
    objects: Objects, submission: Submission, *, now: datetime, agent: Callable[[], bytes], say: Callable[[str], None]
) -> JobRecord:
    """Sends folder and agent, then writes the record: from then on any stepper can carry the job to its end.

    Where the name is unique and somebody else was first, theirs is returned.
    """
    spec = replace(submission.spec, workdir=work_folder(objects, submission, say))
    job = claim(objects, spec.name, new_id(now)) if submission.unique else new_id(now)
    record = JobRecord(
        version=VERSION, id=job, writer="", revision=0, owner=submission.owner, spec=spec,
        store=submission.store, store_region=submission.store_region, agent=send_agent(objects, agent()),
        created_at=now,
    )  # fmt: skip
    try:
        made = Records(objects).create(record).record
    except LostRace:
        if not submission.unique:
            raise
        return Records(objects).read(job).record
    with suppress(CloudError):  # the job is there, and has to be told of
        if spec.workdir and not objects.exists(spec.workdir.key):  # went with another job just before this one named it
            work_folder(objects, submission, say)
    return made


def work_folder(objects: Objects, submission: Submission, say: Callable[[str], None]) -> Archive:
    kept = made_there(submission.spec)
    say(f"work folder {submission.folder}: packing")
    archive = send(objects, submission.folder, keep=kept)
    say(f"work folder {submission.folder}: {archive.bytes / 1024:.0f} KiB packed and sent")
    for left_out in sorted(path for path in kept if (submission.folder / path).exists()):
        say(f"{left_out} of the work folder is not sent: a new job begins without it")
    return archive


def made_there(spec: JobSpec) -> frozenset[PurePosixPath]:
    """What a job makes itself, and so is not sent."""
    return frozenset({PurePosixPath(spec.checkpoint_dir), PurePosixPath(spec.outputs_dir)})


def send_agent(objects: Objects, content: bytes) -> Archive:
    name = hashlib.sha256(content).hexdigest()
    key = f"agents/{name}.pyz"
    if not objects.exists(key):
        objects.put(key, content)
    return Archive(key=key, sha256=name, bytes=len(content))


def new_id(now: datetime) -> str:
    """Sorts by time, fits into every name that is made of it, and cannot be guessed twice."""
    return f"{now:%Y%m%d-%H%M%S}-{''.join(secrets.choice(ALPHABET) for _ in range(5))}"
