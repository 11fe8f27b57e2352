"""How the cloud in memory fails: by method, or a whole region."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from provisioner.errors import AccelctlError, CloudUnavailable

Errors = defaultdict[str, deque[AccelctlError]]


@dataclass(slots=True)
class Faults:
    """What goes wrong, per method: before the call has any effect, or after it took effect."""

    before: Errors = field(default_factory=lambda: Errors(deque))
    after: Errors = field(default_factory=lambda: Errors(deque))


def raise_next(errors: deque[AccelctlError]) -> None:
    if errors:
        raise errors.popleft()


def no_answer(region: str) -> CloudUnavailable:
    return CloudUnavailable(f"{region} does not answer.", hint="try again in a moment.")
