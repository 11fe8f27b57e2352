"""The configuration that a policy pack is given: for each rule its keys, and beside them the rules' own `allowed`."""

import json
from collections.abc import Mapping
from typing import Any, cast

from provisioner.errors import ConfigError
from provisioner.rules import configuration, ruleset, totals

KEYS = ("environment", "allowed", "owner")
"""Of one rule, beside its level."""
LEVEL = "enforcementLevel"
LEVELS = ("advisory", "mandatory", "remediate", "disabled")
"""Those of Pulumi: sdk/go/common/apitype/policy.go."""
UNCHECKED = "not-checked"
"""The policy that names what cannot be read; it has a level alone."""
UNKNOWN = tuple(total.not_known for total in totals.TOTALS if total.adds_up)
"""Policies for what a total cannot add up."""
RULES = (*ruleset.NAMES, *totals.NAMES)
SOURCE = "policy configuration"


def read(text: str, source: str) -> None:
    """A file for `--policy-pack-config`, judged before Pulumi sees it. Raises ConfigError."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as wrong:
        raise ConfigError(f"{source}, line {wrong.lineno}: {wrong.msg}.", hint="give it JSON.") from wrong
    if not isinstance(document, dict):
        raise ConfigError(f"{source}: it is no table of rules.", hint="policies/production.json is one.")
    held = cast("dict[str, Any]", document)
    for name, told in held.items():
        refuse_level(name, told)
    refuse({name: keys_of(told) for name, told in held.items()})


def refuse_level(name: str, told: Any) -> None:
    """Raises ConfigError for a level that Pulumi would refuse, and for what is neither a level nor a table."""
    if not isinstance(told, str | dict):
        raise ConfigError(
            f"{SOURCE}: {name}: {told!r} is neither a level nor a table.", hint=f"levels: {', '.join(LEVELS)}."
        )
    level: Any = cast("dict[str, Any]", told).get(LEVEL, LEVELS[0]) if isinstance(told, dict) else told
    configuration.refuse_unknown(str(level), LEVELS, f"{SOURCE}: {name}: '{level}' is no {LEVEL}.")


def keys_of(told: Any) -> dict[str, Any]:
    """Of one rule, whose level stands alone or among them."""
    held = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    return {key: value for key, value in held.items() if key != LEVEL}


def allowed(config: Mapping[str, Any]) -> configuration.Configuration:
    """The bundled configuration of the environment, under what the pack's own says. Raises ConfigError."""
    tables = configuration.tables(str(config.get("environment", "development")))
    return configuration.read(tables | config.get("allowed", {}), SOURCE, rules=RULES)


def refuse(given: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ConfigError naming the first rule, key or value that is wrong. Levels are the engine's to judge."""
    for name, config in given.items():
        if name == "all" and config:
            mend = "Pulumi hands the other keys of 'all' to no rule; write them under each rule's name."
            raise ConfigError(f"{SOURCE}: 'all' takes a level alone, not '{next(iter(config))}'.", hint=mend)
        configuration.refuse_unknown(
            name, ("all", *RULES, *UNKNOWN, UNCHECKED), f"{SOURCE}: there is no rule '{name}'."
        )
        for key in config:
            known = () if name == UNCHECKED else KEYS
            configuration.refuse_unknown(key, known, f"{SOURCE}: {name}: '{key}' is not known.")
        refuse_kinds(name, config)
        allowed(config)


def refuse_kinds(name: str, config: Mapping[str, Any]) -> None:
    """Raises ConfigError for what is no text, or no table, where that is wanted."""
    for key, kind, wanted in (("environment", str, "text"), ("owner", str, "text"), ("allowed", dict, "table")):
        if not isinstance(config.get(key, kind()), kind):
            raise ConfigError(f"{SOURCE}: {name}: '{key}' is no {wanted}.", hint="see docs/rules.md for every key.")
