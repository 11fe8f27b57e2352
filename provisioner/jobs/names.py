"""One active job for each name that somebody chose: an object per name says which job has it."""

from provisioner.domain.jobs import JobRecord
from provisioner.errors import CloudUnavailable, ConfigError
from provisioner.jobs.objects import ObjectChanged, ObjectMissing, Objects
from provisioner.jobs.records import JobMissing, Records

ROOT = "names"
MOST_TRIES = 10


def claim(objects: Objects, name: str, job: str) -> str:
    """The job that has the name from now on: `job`, or the one that took it first and is not over.

    The one that took it may have no record yet. Whoever is told its id creates that record, and only one can.
    """
    key = f"{ROOT}/{name}"
    for _ in range(MOST_TRIES):
        try:
            objects.create(key, job.encode())
            return job
        except ObjectChanged:
            pass
        try:
            content, tag = objects.get_tagged(key)
            holder = content.decode()
            if not over(objects, holder):
                return holder
            objects.replace(key, job.encode(), tag)
            return job
        except (ObjectMissing, ObjectChanged):
            continue
    raise CloudUnavailable(f"--name: many processes want '{name}' at once.", hint="try again in a moment.")


def is_chosen(objects: Objects, name: str) -> bool:
    """Whether a job was ever given that name by somebody; others have their folder's."""
    return objects.exists(f"{ROOT}/{name}")


def last_holder(objects: Objects, name: str) -> JobRecord | None:
    """The newest job that was given the name; None where there was none, or its record is gone or damaged."""
    try:
        return Records(objects).read(objects.get(f"{ROOT}/{name}").decode()).record
    except (ObjectMissing, ConfigError):
        return None


def over(objects: Objects, job: str) -> bool:
    try:
        return Records(objects).read(job).record.ended_at is not None
    except JobMissing:
        return False


def forget(objects: Objects, name: str, job: str) -> None:
    """Takes the name from a job that is forgotten; another's stays."""
    key = f"{ROOT}/{name}"
    try:
        if objects.get(key) == job.encode():
            objects.delete(key)
    except ObjectMissing:
        return
