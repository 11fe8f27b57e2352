"""The configuration that a policy pack is given: for each rule its keys, and beside them the rules' own `allowed`."""

from collections.abc import Mapping
from typing import Any

from provisioner.errors import ConfigError
from provisioner.rules import configuration, ruleset, totals

KEYS = ("environment", "allowed", "owner")
"""Of one rule, beside its level."""
UNCHECKED = "not-checked"
"""The policy that names what cannot be read; it has a level alone."""
UNKNOWN = ("budget-not-known", "machines-counted-not-known")
"""Policies for what a total cannot add up."""
RULES = (*ruleset.NAMES, *totals.NAMES)
SOURCE = "policy configuration"


def allowed(config: Mapping[str, Any]) -> configuration.Configuration:
    """The bundled configuration of the environment, under what the pack's own says. Raises ConfigError."""
    tables = configuration.tables(str(config.get("environment", "development"))) | config.get("allowed", {})
    return configuration.read(tables, SOURCE, rules=RULES)


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
        allowed(config)
