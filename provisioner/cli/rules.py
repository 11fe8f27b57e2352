"""The rules at the command line's door: before any call to a cloud, and for files."""

import tomllib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from provisioner.errors import ConfigError, PolicyViolation
from provisioner.rules import configuration, ruleset, totals
from provisioner.rules.configuration import Configuration
from provisioner.rules.requests import of_region
from provisioner.rules.ruleset import Finding, Outcome
from provisioner.settings import Settings

OTHERWISE = "change it, or get an exemption: docs/rules.md."
HINTS = {
    "required-labels": "ACCELCTL_OWNER, ACCELCTL_TEAM and ACCELCTL_COST_CENTER say them; so does accelctl.toml "
    "with owner, team and cost_center.",
}


def allowed(environment: str, own: Path | None) -> Configuration:
    """The bundled configuration of the environment, under the user's own file. Raises ConfigError naming the key."""
    tables: dict[str, Any] = configuration.tables(environment)
    try:
        tables |= tomllib.loads(text_of(own)) if own else {}
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"{own}: {wrong}.", hint="it is no TOML.") from wrong
    return configuration.read(tables, str(own or environment), rules=(*ruleset.NAMES, *totals.NAMES))


def text_of(file: Path) -> str:
    """Raises ConfigError for what is no text that can be read."""
    try:
        return file.read_text()
    except OSError as wrong:
        raise ConfigError(f"{file}: {wrong.strerror or wrong}.", hint="name a file that can be read.") from wrong
    except UnicodeDecodeError as wrong:
        raise ConfigError(f"{file}: it is no text.", hint="name a file of TOML or JSON.") from wrong


def of_settings(settings: Settings) -> Configuration:
    """What holds for this user."""
    return allowed(settings["environment"], Path(settings["rules"]) if settings["rules"] else None)


def refuse_region(settings: Settings, region: str, now: datetime) -> None:
    """Raises PolicyViolation where the rules do not allow the region."""
    rule = next(rule for rule in ruleset.RULES if rule.check is ruleset.allowed_machines)
    finding = ruleset.judged(rule, of_region(region), of_settings(settings), now)
    refuse([finding] if finding else [])


def refuse(findings: Sequence[Finding]) -> None:
    """Raises PolicyViolation where a rule is broken, or cannot say: what is not known is not launched."""
    broken = [one for one in findings if one.outcome is not Outcome.EXEMPT]
    if broken:
        first = broken[0]
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise PolicyViolation(f"{first.rule}: {first}{more}.", hint=HINTS.get(first.rule, OTHERWISE))


def finding_document(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule, "level": one.level, "subject": one.subject, "outcome": one.outcome, "what": one.what,
        "usd_per_hour": one.usd_per_hour, "usd_per_month": one.usd_per_month,
    }  # fmt: skip
