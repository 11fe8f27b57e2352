"""Names that Google does not make unique by itself: clean, and of their stack alone however long it is called."""

import hashlib
import re
from datetime import datetime

from stacks.settings import Key, shaped

DIGEST = 8
LONGEST = 30
PROJECT = Key(
    name="gcp:project", parse=shaped(r"|([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "my-project-123456"), default="",
    help="a project's id",
)  # fmt: skip
"""https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin"""


def account_id(stack: str, name: str) -> str:
    """A service account's id: [a-z]([-a-z0-9]{4,28}[a-z0-9]). A TPU node may be called so too.

    https://cloud.google.com/iam/docs/service-accounts-create
    """
    said = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{name}".lower()).lstrip("-0123456789")
    return f"{said[: LONGEST - DIGEST - 1].rstrip('-') or 'a'}-{digest(stack, name)}"


def role_id(stack: str, name: str, now: datetime) -> str:
    """A custom role's id: [a-zA-Z0-9_.]{3,64}. A deleted role keeps its id for weeks, so that each needs its own."""
    return f"accelctl_{digest(stack, name)}_{now:%Y%m%d%H%M%S}"


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGEST]
