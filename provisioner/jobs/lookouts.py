"""Who looks after jobs: each that steps them leaves word of when it last did.

Whoever steps every job does so below `steppers/`, whoever steps one job beside its record.
"""

import json
import os
from datetime import datetime, timedelta

from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.records import prefix

ROOT = "steppers"
SEEN_WITHIN = timedelta(minutes=10)
"""Who has not been seen for longer looks after nothing any more."""


def mark(objects: Objects, now: datetime, *, holder: str, name: str = "", job: str = "") -> None:
    """Writes that this process looks after every job, or after the one that is named."""
    content = json.dumps({"at": now.isoformat(), "holder": holder})
    objects.put(own(job) if job else everybodys(name), content.encode())


def newest(objects: Objects) -> datetime | None:
    """When all jobs were last looked after, by anybody."""
    seen = [said(objects, stored.key) for stored in objects.listing(ROOT)]
    return max((moment for moment in seen if moment), default=None)


def newest_of(objects: Objects, job: str) -> datetime | None:
    """When somebody last looked after this job in particular."""
    return said(objects, own(job))


def forget(objects: Objects, job: str = "") -> None:
    """The word of who looked after this job, or from here after every job, and does so no longer."""
    objects.delete(own(job) if job else everybodys())


def everybodys(name: str = "") -> str:
    return f"{ROOT}/{name or os.uname().nodename}.json"


def own(job: str) -> str:
    return f"{prefix(job)}stepper.json"


def said(objects: Objects, key: str) -> datetime | None:
    """None where it is gone meanwhile, or is no word at all."""
    try:
        return datetime.fromisoformat(json.loads(objects.get(key))["at"])
    except (ObjectMissing, ValueError, KeyError, TypeError):
        return None
