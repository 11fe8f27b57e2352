"""What a team allows: thresholds, machines, regions, exemptions. Unknown rules and keys are refused by name."""

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from provisioner.domain.quantities import duration
from provisioner.errors import ConfigError

FOLDER = Path(__file__).parent
BUNDLED = ("development", "production")
LONGEST_EXEMPTION = timedelta(days=366)
"""What lasts longer is no exception; asked again each year, somebody still stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Who is let off which rule, why, at whose word, and until when."""

    pattern: str
    rule: str
    reason: str
    owner: str
    until: date

    def covers(self, subject: str, rule: str) -> bool:
        return self.rule == rule and fnmatchcase(subject, self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The defaults are for development. Empty `regions` or `machines` allow any."""

    expensive_from: Decimal = Decimal("1.00")
    """USD per hour; a machine whose price is not known counts as expensive."""
    longest_end: timedelta = timedelta(days=14)
    default_end: timedelta = timedelta(hours=8)
    """What is added at level `remediate`."""
    required_labels: tuple[str, ...] = ("owner", "team", "cost-center")
    unassigned_allowed: bool = True
    """Whether the label value `unassigned` is good enough."""
    regions: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    """Patterns such as p5.* or g5.?xlarge."""
    budget: Decimal | None = None
    """USD that a stack may cost until its machines end, at prices on demand; of what never ends, in a month."""
    most_machines: int | None = None
    """Machines that a stack may have."""
    reapers: tuple[str, ...] = ()
    """Clouds in which a reaper is known to run."""
    reaper_required: bool = False
    """Whether an end that only labels say needs a reaper that is known, where the cloud has one."""
    exemptions: tuple[Exemption, ...] = ()


def amount(value: Any) -> Decimal:
    """Raises ValueError for what is no number, or below 0."""
    try:
        found = Decimal("none" if isinstance(value, bool) else str(value))
    except ArithmeticError:
        found = Decimal(-1)
    if not found.is_finite() or found < 0:
        raise ValueError(f"'{value}' is no amount of USD, such as 1.50")
    return found


def whole(value: Any) -> int:
    """JSON has only one kind of number, so 16.0 is 16."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value % 1 != 0:
        raise ValueError(f"'{value}' is no whole number, such as 16")
    return int(value)


def span(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise TypeError(f"'{value}' is not a duration such as 90s, 5m, 1h30m or 2d")
    return duration(value)


def texts(value: Any) -> tuple[str, ...]:
    held = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in held):
        raise ValueError(f"'{value}' is no list of texts, such as [\"us-east-1\"]")
    return tuple(held)


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"'{value}' is neither true nor false")
    return value


def exemptions(rows: Any) -> tuple[Exemption, ...]:
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in cast("list[Any]", rows)):
        raise TypeError(f"'{rows}' is no list of tables")
    return tuple(exemption(number, row) for number, row in enumerate(cast("list[dict[str, Any]]", rows), 1))


def exemption(number: int, row: Mapping[str, Any]) -> Exemption:
    """Raises ValueError naming the key that is missing, not known, or says nothing."""
    names = [field.name for field in fields(Exemption)]
    for name in names:
        if name != "until" and not str(row.get(name, "")).strip():
            raise ValueError(f"number {number} does not say its {name}")
    for name in row.keys() - set(names):
        raise ValueError(f"number {number}: '{name}' is not known, only {', '.join(names)} are")
    return Exemption(**{name: str(row[name]) for name in names[:-1]}, until=day(row.get("until"), number))


def day(value: Any, number: int) -> date:
    """A date, or its text, since JSON has no dates."""
    try:
        return date.fromisoformat(f"{value:%Y-%m-%d}" if isinstance(value, date) else str(value))
    except ValueError:
        raise ValueError(f"number {number}: until '{value}' is no day, such as 2026-12-01") from None


PARSERS: dict[str, Callable[[Any], Any]] = {
    "expensive_from": amount, "longest_end": span, "default_end": span, "required_labels": texts,
    "unassigned_allowed": truth, "regions": texts, "machines": texts, "budget": amount, "most_machines": whole,
    "reapers": texts, "reaper_required": truth, "exemptions": exemptions,
}  # fmt: skip


def load(name: str) -> Configuration:
    """One of the bundled ones. Raises ConfigError."""
    return read(tables(name), f"{name}.toml")


def tables(name: str) -> dict[str, Any]:
    """A bundled one as it is written. Raises ConfigError for another name."""
    refuse_unknown(name, BUNDLED, f"there is no environment '{name}'.")
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def read(tables: Mapping[str, Any], source: str, *, rules: tuple[str, ...] = ()) -> Configuration:
    """Raises ConfigError naming the key, or the exemption's rule, that is not known."""
    for key in tables:
        refuse_unknown(key, PARSERS, f"{source}: '{key}' is not known.")
    found = Configuration(**{key: parsed(key, value, source) for key, value in tables.items()})
    for exemption in found.exemptions if rules else ():
        refuse_unknown(exemption.rule, rules, f"{source}: there is no rule '{exemption.rule}'.")
    return found


def refuse_unknown(name: str, known: Collection[str], said: str) -> None:
    """Raises ConfigError with the nearest name, or all of them."""
    if name not in known:
        near = get_close_matches(name, known, 1)
        raise ConfigError(said, hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}.")


def parsed(key: str, value: Any, source: str) -> Any:
    try:
        return PARSERS[key](value)
    except (TypeError, ValueError) as wrong:
        raise ConfigError(f"{source}: {key}: {wrong}.", hint="see docs/rules.md for every key.") from wrong
