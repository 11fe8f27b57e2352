"""Names that Google does not make unique by itself: clean, and of their stack alone however long it is called."""

import hashlib
import re

DIGEST = 8
LONGEST = 30


def account_id(stack: str, name: str) -> str:
    """A service account's id: [a-z]([-a-z0-9]{4,28}[a-z0-9]).

    https://cloud.google.com/iam/docs/service-accounts-create
    """
    said = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{name}".lower()).lstrip("-0123456789")
    return f"{said[: LONGEST - DIGEST - 1].rstrip('-') or 'a'}-{digest(stack, name)}"


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGEST]
