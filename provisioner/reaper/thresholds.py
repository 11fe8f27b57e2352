"""The figures of thresholds.toml, read once and checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from provisioner.domain.estate import AcceleratorKind
from provisioner.domain.quantities import duration
from provisioner.errors import ConfigError

T = TypeVar("T")
FILE = Path(__file__).with_name("thresholds.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Below these a machine of one accelerator kind is idle: percent, and bytes per second."""

    window: timedelta
    accelerator_below: float
    cpu_below: float
    network_below: float
    disk_below: float
    needs: str
    """The evidence without which it is a suspect at most: `accelerator`, `heartbeat` or `host`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds for every kind."""

    minimum_age: timedelta
    coverage: float
    heartbeat_fresh: timedelta
    keep_until_at_most: timedelta
    end_grace: timedelta
    clock_skew: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All of them."""

    quiet: Mapping[AcceleratorKind, Quiet]
    limits: Limits
    grace: Mapping[str, timedelta]

    def grace_of(self, environment: str) -> timedelta:
        return self.grace.get(environment, self.grace["default"])


@cache
def defaults() -> Thresholds:
    """The product's own."""
    return parsed(tomllib.loads(FILE.read_text()), str(FILE.name))


def parsed(tables: Mapping[str, Mapping[str, Any]], source: str) -> Thresholds:
    """Raises ConfigError naming the table and the key that cannot be understood."""
    kinds = {kind: built(Quiet, tables.get(kind, {}), f"{source}: {kind}") for kind in AcceleratorKind}
    limits = built(Limits, tables.get("limits", {}), f"{source}: limits")
    grace = {name: duration(value) for name, value in tables.get("grace", {}).items() if name != "reason"}
    return Thresholds(quiet=kinds, limits=limits, grace=grace)


def built(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    fields = {name: str(annotation) for name, annotation in kind.__annotations__.items()}
    if unknown := set(table) - set(fields) - {"reason"}:
        raise ConfigError(f"{where}: '{min(unknown)}' is not known.", hint=f"known: {', '.join(fields)}.")
    try:
        return kind(**{name: value_of(table[name], fields[name]) for name in fields})
    except KeyError as missing:
        raise ConfigError(f"{where}: {missing} is missing.", hint="give every key of the table.") from missing
    except (TypeError, ValueError) as wrong:
        raise ConfigError(f"{where}: {wrong}.", hint="durations are text such as '1h', the rest numbers.") from wrong


def value_of(value: Any, annotation: str) -> Any:
    if "timedelta" in annotation:
        return duration(value)
    return float(value) if "float" in annotation else str(value)
