"""What a machine says of itself: the one object that each node of an attempt keeps writing. See docs/job-layout.md."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from provisioner.domain.jobs import EndReason


class Phase(StrEnum):
    """What the machine is doing."""

    RESTORE = "restore"
    SETUP = "setup"
    RUN = "run"
    SAVE = "save"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSample:
    """One device's utilisation in percent since the last report, or why there is none. Missing is not zero.

    `memory_percent` is how much of its memory is held; `memory_reason` why that is not known.
    """

    device: str
    kind: str
    percent: float | None = None
    memory_percent: float | None = None
    reason: str = ""
    memory_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCheckpoint:
    """A checkpoint whose manifest is in the store. `at` is when its newest file was last written."""

    sequence: int
    at: datetime
    bytes: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The cloud's announcement that it takes the machine back."""

    at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnd:
    """How the program on this machine ended."""

    reason: EndReason
    at: datetime
    exit_code: int | None = None
    message: str = ""
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """The heartbeat."""

    version: int
    attempt: int
    rank: int
    instance_id: str
    at: datetime
    phase: Phase
    booted_at: datetime
    """When the agent began; the boot itself was a minute or so before."""
    started_at: datetime | None = None
    """When the program was started."""
    program_ended_at: datetime | None = None
    restored: SavedCheckpoint | None = None
    damaged: tuple[int, ...] = ()
    """Sequences of checkpoints that were damaged and passed over when restoring."""
    checkpoint: SavedCheckpoint | None = None
    notice: Notice | None = None
    rebalance_at: datetime | None = None
    """When the cloud said that it may take the machine back soon; what there was then was saved at once."""
    utilisation: tuple[DeviceSample, ...] = ()
    log_bytes: int = 0
    sent_bytes: int = 0
    """Sent to the store by this machine so far."""
    received_bytes: int = 0
    requests: int = 0
    ended: NodeEnd | None = None
