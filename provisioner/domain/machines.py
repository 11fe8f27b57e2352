"""Machine types: what a cloud sells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Architecture(StrEnum):
    """Instruction set of the processor."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


class ImageKind(StrEnum):
    """Which drivers a machine's image has to carry."""

    NVIDIA = "nvidia"
    NEURON = "neuron"
    CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """The accelerators of one machine; `memory_gib` is of each."""

    name: str
    count: int
    memory_gib: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineType:
    """One type, with its price in USD per hour by region; `price_reason` says why there is none."""

    cloud: str
    instance_type: str
    family: str
    accelerators: Accelerators | None
    vcpus: int
    memory_gib: Decimal
    architecture: Architecture
    efa_interfaces: int
    local_disk_gb: int
    image: ImageKind
    source: str
    as_of: date
    retiring: bool = False
    on_demand: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    price_reason: str = ""
    quota_on_demand: str = ""
    quota_spot: str = ""
    """Codes of the service quotas (of vCPUs) that a launch counts against."""

    def on_demand_in(self, region: str) -> Decimal | None:
        """USD per hour; None where it is not known."""
        return self.on_demand.get(region)
