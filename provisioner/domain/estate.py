"""Machines as they stand in an account, ours or not: how they are held, who would replace them, what they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from provisioner.domain.instances import Instance


class Metric(StrEnum):
    """What a series measures, with its unit."""

    ACCELERATOR = "accelerator"
    """Percent of one device."""
    ACCELERATOR_MEMORY = "accelerator-memory"
    """Percent of one device's memory."""
    CPU = "cpu"
    """Percent of all processors."""
    NETWORK = "network"
    """Bytes per second, both ways. EFA and InfiniBand are not in it."""
    DISK = "disk"
    """Bytes per second, read and written."""


ALL_DEVICES = "all"
"""The name of a series that is the highest of devices which nobody counted."""


class AcceleratorKind(StrEnum):
    """Whose silence means what: see thresholds.toml."""

    NVIDIA = "nvidia"
    NEURON = "neuron"
    TPU = "tpu"
    NONE = "none"


class OwnerKind(StrEnum):
    """Who would replace the machine if it went."""

    NOBODY = "nobody"
    JOB = "job"
    GROUP = "scaling-group"
    FLEET = "fleet"
    POOL = "node-pool"
    STACK = "stack"


class Tenure(StrEnum):
    """How the machine is held, which decides how it can go."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    """One-time: it can be terminated, not stopped."""
    PERSISTENT_SPOT = "persistent-spot"
    """A machine of a live request comes back: the request goes first."""
    CAPACITY_BLOCK = "capacity-block"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one device: the highest value of the window, or of each of its parts.

    `coverage` is the share of the window's periods that have a value, from 0 to 1.
    """

    metric: Metric
    values: tuple[float, ...]
    coverage: float = 1.0
    device: str = ""
    glimpse: bool = False
    """One sample of now: enough to call a machine busy, never enough to call it idle."""
    stands_for: int = 1
    """How many devices it speaks for."""
    silent_for: timedelta = timedelta(0)
    """From its newest value to the end of what was looked at."""

    @property
    def highest(self) -> float:
        return max(self.values, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What to read of machines of one kind: which metrics, and how far back."""

    instances: Sequence[Instance]
    kind: AcceleratorKind
    metrics: frozenset[Metric]
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One machine, and what decides how it can go."""

    instance: Instance
    tenure: Tenure
    owner: OwnerKind = OwnerKind.NOBODY
    owner_name: str = ""
    instance_store_root: bool = False
    request: str = ""
    """The persistent request that would launch it again."""
    public_address: bool = False
    token_only_metadata: bool = True
    keeps_volumes: bool = False
    """A volume would stay when it is terminated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """How many things a Pulumi stack owns, and the most that they cost (USD an hour, None where one is unknown)."""

    things: int = 0
    price_per_hour: Decimal | None = Decimal(0)

    def and_one(self, price: Decimal | None) -> "Owned":
        total = None if price is None or self.price_per_hour is None else self.price_per_hour + price
        return Owned(things=self.things + 1, price_per_hour=total)
