"""The figures of thresholds.toml, read once and checked."""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from provisioner.domain.estate import AcceleratorKind
from provisioner.domain.quantities import duration, written
from provisioner.errors import ConfigError

T = TypeVar("T")
FILE = Path(__file__).with_name("thresholds.toml")
SHORTEST = timedelta(minutes=5)
"""Of a window: metrics come as one figure for each five minutes."""
LONGEST = timedelta(days=7)
"""Of a window: the function reads the five minutes of a week of 3,000 machines in four of its ten minutes."""
HASTIEST = timedelta(minutes=5)
"""Of a grace: as far as rounds are apart at least; who is told has one of them."""
HIGHEST = {"accelerator_below": 100, "cpu_below": 100, "memory_held": 100, "coverage": 1}
"""Percent, and a share."""
MAX = sys.float_info.max


class Needs(StrEnum):
    """The evidence without which a machine is a suspect at most."""

    ACCELERATOR = "accelerator"
    HEARTBEAT = "heartbeat"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Below these a machine of one accelerator kind is idle: percent, and bytes per second."""

    window: timedelta
    accelerator_below: float
    cpu_below: float
    network_below: float
    disk_below: float
    memory_held: float
    """At or above this percent of a device's memory a program waits there: no work, and yet no accident."""
    needs: Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds for every kind."""

    minimum_age: timedelta
    coverage: float
    heartbeat_fresh: timedelta
    keep_until_at_most: timedelta
    end_grace: timedelta
    clock_skew: timedelta
    held_grace: timedelta
    """At least, where a program holds accelerator memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """What holds for machines with these labels (`*` is any value) instead; of one accelerator kind, or of all."""

    labels: tuple[tuple[str, str], ...]
    accelerator: AcceleratorKind | None
    quiet: tuple[tuple[str, Any], ...]
    limits: tuple[tuple[str, Any], ...]
    grace: timedelta | None

    def fits(self, held: Mapping[str, str]) -> bool:
        return all(key in held and wanted in ("*", held[key]) for key, wanted in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All of them."""

    quiet: Mapping[AcceleratorKind, Quiet]
    limits: Limits
    grace: Mapping[str, timedelta]
    exemptions: tuple["Exemption", ...] = ()

    def of(self, labels: Mapping[str, str]) -> "Thresholds":
        """Those of a machine with these labels; of several exemptions that fit, a later one has the last word."""
        fitting = tuple(one for one in self.exemptions if one.fits(labels))
        return merged(self, fitting) if fitting else self

    def grace_of(self, environment: str) -> timedelta:
        """One that nobody knows, such as `prod`, has the longest."""
        return self.grace.get(environment.strip().lower() or "default", max(self.grace.values()))


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


def configured(tables: Sequence[Mapping[str, Any]], source: str) -> Thresholds:
    """The product's own with the user's exemptions. Raises ConfigError naming what cannot be understood."""
    return replace(defaults(), exemptions=tuple(exemption(table, f"thresholds ({source})") for table in tables))


def exemption(table: Mapping[str, Any], where: str) -> Exemption:
    fields: dict[str, type] = Quiet.__annotations__ | Limits.__annotations__
    known = {"labels", "accelerator", "grace", "reason", *fields}
    if unknown := set(table) - known:
        raise ConfigError(f"{where}: '{min(unknown)}' is not known.", hint=f"known: {', '.join(sorted(known))}.")
    if not isinstance(table.get("labels"), Mapping) or not table["labels"]:
        raise ConfigError(
            f"{where}: a table without labels.", hint='say whose, as in labels = {"accelctl:team" = "research"}.'
        )
    if table.get("accelerator", AcceleratorKind.NONE) not in set(AcceleratorKind):
        kinds = ", ".join(AcceleratorKind)
        raise ConfigError(f"{where}: accelerator '{table['accelerator']}' is not known.", hint=f"known: {kinds}.")
    try:
        values = {name: value_of(name, table[name], fields[name]) for name in fields if name in table}
        kind = AcceleratorKind(table["accelerator"]) if "accelerator" in table else None
        grace = value_of("grace", table["grace"], timedelta) if "grace" in table else None
    except (TypeError, ValueError) as wrong:
        raise ConfigError(f"{where}: {wrong}.", hint="durations are text such as '1h', the rest numbers.") from wrong
    return Exemption(
        labels=tuple(sorted((str(key), str(value)) for key, value in table["labels"].items())), accelerator=kind,
        quiet=tuple((name, value) for name, value in values.items() if name in Quiet.__annotations__),
        limits=tuple((name, value) for name, value in values.items() if name in Limits.__annotations__), grace=grace,
    )  # fmt: skip


def merged(usual: Thresholds, exemptions: Sequence[Exemption]) -> Thresholds:
    quiet, limits, grace = dict(usual.quiet), usual.limits, usual.grace
    for one in exemptions:
        for kind in [one.accelerator] if one.accelerator else list(AcceleratorKind):
            quiet[kind] = replace(quiet[kind], **dict(one.quiet))
        limits = replace(limits, **dict(one.limits))
        grace = dict.fromkeys(grace, one.grace) if one.grace is not None else grace
    return Thresholds(quiet=quiet, limits=limits, grace=grace)


def built(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    fields: dict[str, type] = kind.__annotations__
    if unknown := set(table) - set(fields) - {"reason"}:
        raise ConfigError(f"{where}: '{min(unknown)}' is not known.", hint=f"known: {', '.join(fields)}.")
    try:
        return kind(**{name: value_of(name, table[name], fields[name]) for name in fields})
    except KeyError as missing:
        raise ConfigError(f"{where}: {missing} is missing.", hint="give every key of the table.") from missing
    except (TypeError, ValueError) as wrong:
        raise ConfigError(f"{where}: {wrong}.", hint="durations are text such as '1h', the rest numbers.") from wrong


def value_of(name: str, value: Any, kind: type) -> Any:
    """Raises TypeError or ValueError, naming the key, for what no round could use."""
    if kind is Needs:
        return needs(value)
    return span(name, value) if kind is timedelta else number(name, value)


def needs(value: Any) -> Needs:
    if value not in set(Needs):
        raise ValueError(f"needs '{value}' is not one of {', '.join(Needs)}")
    return Needs(value)


def span(name: str, value: Any) -> timedelta:
    if not isinstance(value, str):
        raise TypeError(f"{name} '{value}' is no duration")
    found = duration(value)
    if name == "window" and found < SHORTEST:
        raise ValueError(f"window '{value}' is shorter than the {written(SHORTEST)} between two figures")
    if name == "window" and found > LONGEST:
        raise ValueError(f"window '{value}' is longer than the {written(LONGEST)} that one round can read")
    if name == "grace" and found < HASTIEST:
        raise ValueError(f"grace '{value}' is shorter than the {written(HASTIEST)} between two rounds")
    return found


def number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} '{value}' is no number")
    highest = HIGHEST.get(name, MAX)
    if not 0 <= value <= highest:
        raise ValueError(f"{name} '{value}' is not between 0 and {highest:g}")
    return float(value)
