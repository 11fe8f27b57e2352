"""The mark on a machine: one label that says when, by which run, and what was found."""

import re
from datetime import datetime

from provisioner.reaper.observed import Mark

NOT_IN_LABELS = re.compile(r"[^\w .:/=+\-@]")
LONGEST = 256
"""Of a label's value on AWS; what it may hold: https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""


def written(mark: Mark) -> str:
    return f"{mark.at:%Y-%m-%dT%H:%M:%SZ} {mark.token} {NOT_IN_LABELS.sub('', mark.reason)}"[:LONGEST]


def read(text: str) -> Mark | None:
    """None for what is no mark of ours: the machine is then marked anew."""
    at, _, rest = text.partition(" ")
    token, _, reason = rest.partition(" ")
    try:
        return Mark(at=datetime.fromisoformat(at.replace("Z", "+00:00")), token=token, reason=reason)
    except ValueError:
        return None
