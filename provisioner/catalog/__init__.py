"""THE machine list: what types there are, what they have and cost. Data files beside this one; every row has a source.

`load()` reads machines.csv and prices.csv once. Prices are USD per hour, Linux, by region.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from provisioner.domain.machines import Accelerators, Architecture, ImageKind, MachineType

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

CLOUD = "aws"
"""The cloud of both files; each further cloud brings files of its own."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Machine types by cloud and name."""

    machines: Mapping[tuple[str, str], MachineType]

    def __iter__(self) -> Iterator[MachineType]:
        return iter(self.machines.values())

    def find(self, cloud: str, instance_type: str) -> MachineType | None:
        return self.machines.get((cloud, instance_type))

    def near(self, instance_type: str, *, cloud: str = CLOUD) -> list[str]:
        """Up to three names that may have been meant, the nearest first; of a bare family (p4d), its first sizes."""
        wanted = instance_type.lower()
        names = [name for held, name in self.machines if held == cloud]
        return get_close_matches(wanted, names, n=3) or [name for name in names if name.startswith(wanted)][:3]


def meant(instance_type: str) -> str:
    """A hint at the names that may have been meant."""
    names = ", ".join(load().near(instance_type))
    return f"did you mean: {names}?" if names else "such as p4d.24xlarge or g5.xlarge."


@cache
def load() -> Catalog:
    """The bundled catalog."""
    prices: dict[str, dict[str, Decimal]] = {}
    reasons: dict[str, str] = {}
    for row in rows("prices.csv"):
        if row["usd_per_hour"]:
            prices.setdefault(row["instance_type"], {})[row["region"]] = Decimal(row["usd_per_hour"])
        else:
            reasons[row["instance_type"]] = row["reason"]
    machines = (
        machine(row, prices.get(row["instance_type"], {}), reasons.get(row["instance_type"], ""))
        for row in rows("machines.csv")
    )
    return Catalog({(machine.cloud, machine.instance_type): machine for machine in machines})


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a data file, as they are written."""
    with data(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def data(name: str) -> "Traversable":
    return files("provisioner.catalog") / name


def machine(row: Mapping[str, str], on_demand: Mapping[str, Decimal], reason: str) -> MachineType:
    return MachineType(
        cloud=CLOUD, instance_type=row["instance_type"], family=row["family"], accelerators=accelerators(row),
        vcpus=int(row["vcpus"]), memory_gib=Decimal(row["memory_gib"]), architecture=Architecture(row["architecture"]),
        efa_interfaces=int(row["efa_interfaces"]), local_disk_gb=int(row["local_disk_gb"]),
        image=ImageKind(row["image"]), retiring=row["retiring"] == "yes", on_demand=on_demand, price_reason=reason,
        quota_on_demand=row["quota_on_demand"], quota_spot=row["quota_spot"], source=row["source"],
        as_of=date.fromisoformat(row["as_of"]),
    )  # fmt: skip


def accelerators(row: Mapping[str, str]) -> Accelerators | None:
    if not row["accelerator"]:
        return None
    return Accelerators(
        name=row["accelerator"], count=int(row["accelerators"]), memory_gib=Decimal(row["accelerator_gib"])
    )
