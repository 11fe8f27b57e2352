"""Machines that exist, or did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from provisioner.domain.offerings import CapacityType


class InstanceState(StrEnum):
    """Where in its life an instance is."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    TERMINATED = "terminated"


class EndCause(StrEnum):
    """Who ended an instance."""

    INTERRUPTED = "interrupted"
    """The cloud took it back."""
    TERMINATED = "terminated"
    """Somebody asked for it through the API."""
    SHUT_DOWN = "shut-down"
    """The machine powered itself off."""
    FAILED = "failed"
    """It never came up: the cloud found no capacity or a fault after saying yes."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One machine. `ended_at` is the cloud's own time of the end: None while it lives, or where the cloud says none."""

    id: str
    cloud: str
    region: str
    zone: str
    instance_type: str
    capacity_type: CapacityType
    state: InstanceState
    launched_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    private_address: str = ""
    ended_at: datetime | None = None
    end_cause: EndCause | None = None
    end_message: str = ""

    @property
    def alive(self) -> bool:
        """It may still run something or cost something."""
        return self.state is not InstanceState.TERMINATED
