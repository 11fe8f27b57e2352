"""Cloud TPUs: data, and what follows from a name."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from math import prod


@dataclass(frozen=True, slots=True, kw_only=True)
class TpuFamily:
    """One generation. `usd_per_chip` is per hour on demand, in regions that begin with one of `priced_in`."""

    name: str
    runtime: str
    cores_per_chip: int
    prefix: str
    generation: str
    sizes: tuple[int, ...]
    zones: tuple[str, ...]
    usd_per_chip: Decimal
    priced_in: tuple[str, ...]

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}-{size}" for size in self.sizes)

    def price(self, accelerator_type: str, zone: str) -> Decimal | None:
        """USD per hour of a whole slice; None where it is not known."""
        if accelerator_type not in self.types or not zone.startswith(self.priced_in):
            return None
        return self.usd_per_chip * int(accelerator_type.rsplit("-", 1)[1]) / self.cores_per_chip


@cache
def families() -> dict[str, TpuFamily]:
    held = tomllib.loads((files("provisioner.catalog") / "tpus.toml").read_text(encoding="utf-8"))
    return {
        name: TpuFamily(
            name=name, runtime=row["runtime"], cores_per_chip=row["cores_per_chip"], prefix=row["prefix"],
            generation=row["generation"],
            sizes=tuple(row["sizes"]), zones=tuple(row["zones"]), usd_per_chip=Decimal(row["usd_per_chip"]),
            priced_in=tuple(row["priced_in"]),
        )
        for name, row in held.items()
    }  # fmt: skip


def family_of(accelerator_type: str) -> TpuFamily | None:
    return next((one for one in families().values() if accelerator_type in one.types), None)


def type_of(generation: str, topology: str) -> str:
    """The type's name of a generation as Google's API writes it (V5LITE_POD) and a topology (2x4): v5litepod-8.

    Of a generation that the catalog lacks, or a topology that is none, a name that no family has.
    """
    family = next((one for one in families().values() if one.generation == generation), None)
    sides = topology.split("x")
    if family is None or not all(side.isdigit() for side in sides):
        return f"{generation.lower()}-{topology}"
    return f"{family.prefix}-{prod(int(side) for side in sides) * family.cores_per_chip}"
