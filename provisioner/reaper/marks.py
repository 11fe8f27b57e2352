"""The mark on a machine: one label that says when, by which run, and what was found."""

import re
from datetime import UTC, datetime

from provisioner.reaper.observed import Mark

NOT_IN_LABELS = re.compile(r"[^\w .:/=+\-@]")
LONGEST = 256
"""Of a label's value on AWS; what it may hold: https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""
AT = "%Y-%m-%dT%H:%M:%SZ"


def written(mark: Mark) -> str:
    return f"{mark.at:{AT}} {mark.token} {NOT_IN_LABELS.sub('', mark.reason)}"[:LONGEST]


def read(text: str) -> Mark | None:
    """None for what is no mark of ours, such as a time that a hand wrote: the machine is then marked anew."""
    at, _, rest = text.partition(" ")
    token, _, reason = rest.partition(" ")
    try:
        return Mark(at=datetime.strptime(at, AT).replace(tzinfo=UTC), token=token, reason=reason)
    except ValueError:
        return None
