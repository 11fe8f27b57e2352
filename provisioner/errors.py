"""Every error that accelctl raises on purpose, named by what its caller should do next.

    AccelctlError
    ├── ConfigError               2   fix the input; names the field
    ├── PolicyViolation           3   change the request, or get an exemption
    ├── CloudError                4   stop and show
    │   ├── InsufficientCapacity  4   the next offering; this one is left alone for a few minutes
    │   ├── RateLimited           4   the same call, later, with the same token
    │   ├── CloudUnavailable      4   the same call, later, with the same token
    │   ├── QuotaExceeded         4   stop; the hint names the quota code
    │   ├── PermissionDenied      4   stop; the hint names the permission
    │   ├── HeldByOwner           4   left to whoever protected it, or runs the group that keeps it
    │   ├── InstanceNotFound      4   on delete: done
    │   └── Unseen                4   what was listed stands; it names the regions that are missing (clouds/regions.py)
    ├── TeardownIncomplete        5   run it again; carries what is left
    └── Interrupted             130   Ctrl-C; what stays was said

Imports nothing of the project.
"""

from collections.abc import Sequence
from typing import NamedTuple


class AccelctlError(Exception):
    """One sentence of what happened, and a hint of what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(AccelctlError):
    """Wrong input or configuration; the message names the field."""

    exit_code = 2


class CredentialsRefused(ConfigError):
    """There are none, or the cloud does not accept them any more: it says nothing of what was asked."""


class PolicyViolation(AccelctlError):
    """Refused by a mandatory rule."""

    exit_code = 3


class CloudError(AccelctlError):
    """The cloud refused; `code` is its own word for why."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Refused(NamedTuple):
    """One offering that the cloud would not sell just now, in its own words."""

    region: str
    zone: str
    instance_type: str
    capacity_type: str
    code: str
    message: str
    lasting: bool = False
    """True where asking again later cannot help (a type that the zone does not offer)."""


class InsufficientCapacity(CloudError):
    """No capacity in what was asked; `refused` says where."""

    def __init__(self, message: str, *, refused: Sequence[Refused] = (), hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.refused = tuple(refused)


class RateLimited(CloudError):
    """Too many calls; the same call later, with the same token, may pass."""


class CloudUnavailable(CloudError):
    """The cloud (or the way to it) did not answer; the call may or may not have taken effect."""


class TokenReused(CloudError):
    """The token of a launch was used before with other words: what it bought may be there."""


class QuotaExceeded(CloudError):
    """A limit of the account; the hint names the quota code."""


class PermissionDenied(CloudError):
    """The credentials may not do this; the hint names the permission."""


class HeldByOwner(CloudError):
    """Whoever runs it decides: its group keeps at least as many as there are, or it is protected."""


class InstanceNotFound(CloudError):
    """The cloud does not know the instance (any more, or not yet)."""


class TeardownIncomplete(AccelctlError):
    """Something is left; run it again."""

    exit_code = 5

    def __init__(self, message: str, *, left: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.left = tuple(left)


class Interrupted(AccelctlError):
    """Ctrl-C."""

    exit_code = 130
