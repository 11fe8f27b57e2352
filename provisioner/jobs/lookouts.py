"""Who looks after jobs: each that steps them leaves word of when it last did."""

import json
import os
from datetime import datetime

from provisioner.jobs.objects import ObjectMissing, Objects

ROOT = "steppers"


def mark(objects: Objects, now: datetime, *, holder: str, name: str = "") -> None:
    """Writes that this process looks after jobs."""
    content = json.dumps({"at": now.isoformat(), "holder": holder})
    objects.put(f"{ROOT}/{name or os.uname().nodename}.json", content.encode())


def newest(objects: Objects) -> datetime | None:
    """When jobs were last looked after, by anybody."""
    seen: list[datetime] = []
    for stored in objects.listing(ROOT):
        try:
            seen.append(datetime.fromisoformat(json.loads(objects.get(stored.key))["at"]))
        except (ObjectMissing, ValueError, KeyError, TypeError):  # gone meanwhile, or no word at all
            continue
    return max(seen, default=None)
