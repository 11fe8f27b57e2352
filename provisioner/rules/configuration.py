"""What a team allows: thresholds, machines, regions, exemptions. Unknown rules and keys are refused by name."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from provisioner.domain.quantities import duration
from provisioner.errors import ConfigError

FOLDER = Path(__file__).parent


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
    exemptions: tuple[Exemption, ...] = ()


PARSERS: dict[str, Callable[[Any], Any]] = {
    "expensive_from": lambda value: Decimal(str(value)), "longest_end": duration, "default_end": duration,
    "required_labels": tuple,
    "unassigned_allowed": bool, "regions": tuple, "machines": tuple,
    "budget": lambda value: Decimal(str(value)), "most_machines": int, "reapers": tuple,
    "exemptions": lambda rows: tuple(Exemption(**row) for row in rows),
}  # fmt: skip


def load(name: str) -> Configuration:
    """One of the bundled ones: development or production."""
    return read(tables(name), f"{name}.toml")


def tables(name: str) -> dict[str, Any]:
    """A bundled one as it is written."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def read(tables: Mapping[str, Any], source: str, *, rules: tuple[str, ...] = ()) -> Configuration:
    """Raises ConfigError naming the key, or the exemption's rule, that is not known."""
    names = [field.name for field in fields(Configuration)]
    for key in tables:
        if key not in names:
            near = get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}."
            raise ConfigError(f"{source}: '{key}' is not known.", hint=hint)
    try:
        found = Configuration(**{key: PARSERS[key](value) for key, value in tables.items()})
    except (TypeError, ValueError, ArithmeticError) as wrong:
        raise ConfigError(f"{source}: {wrong}.", hint="see docs/rules.md for every key.") from wrong
    for exemption in found.exemptions:
        if rules and exemption.rule not in rules:
            raise ConfigError(f"{source}: there is no rule '{exemption.rule}'.", hint=f"known: {', '.join(rules)}.")
    return found
