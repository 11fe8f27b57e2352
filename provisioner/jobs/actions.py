"""What may be done for a job, as data, and what a decision rests on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from provisioner.domain.instances import Instance
from provisioner.domain.jobs import (
    Attempt,
    EndReason,
    JobRecord,
)
from provisioner.domain.offerings import Offering
from provisioner.domain.reports import NodeReport
from provisioner.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of the job. `offerings` is None where nobody asked; money is None where a price is unknown.

    `spent` is USD so far, `hourly` what an hour of the machine costs by now; both are looked up for a budget only.
    """

    instances: tuple[Instance, ...] = ()
    report: NodeReport | None = None
    healthy: bool | None = None
    """What the cloud's checks say of a machine that has not reported for long; None: unknown, or nobody asked."""
    unread: str = ""
    """Why there is a report that nobody here understands: the machine has spoken, and we do not know what it said."""
    offerings: tuple[Offering, ...] | None = None
    refused: tuple[Refused, ...] = ()
    """By regions that did not say what they sell."""
    spent: Decimal | None = None
    hourly: Decimal | None = None

    def instance_of(self, attempt: Attempt) -> Instance | None:
        ids = {node.instance_id for node in attempt.nodes}
        return next((instance for instance in self.instances if instance.id in ids), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """Make the identity that the job's machines carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Ask what can be bought, then decide again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buy:
    """Write the intent to launch one of these, all in one region; the launch is the next action."""

    offerings: tuple[Offering, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Make the call of the written intent, for the first time or again."""

    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """The launch that has no answer has bought these: they are the attempt's."""

    attempt: Attempt
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write this down; no cloud is called."""

    record: JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate:
    """End these machines. The record says why before the call is made."""

    instances: tuple[Instance, ...]
    record: JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The newest attempt is over: settle its cost and what was lost."""

    reason: EndReason
    instance: Instance | None = None
    exit_code: int | None = None
    message: str = ""
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """Remove what the job leaves behind and end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The job is over."""


Action = Wait | Identify | Survey | Buy | Launch | Adopt | Note | Terminate | Close | Clean | Rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, and why in words for a person."""

    action: Action
    reason: str
