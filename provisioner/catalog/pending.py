"""Which ids the things of stacks have, by their inputs: `pending.toml`."""

from collections.abc import Mapping
from typing import Any

from provisioner.catalog.tariffs import held
from provisioner.domain.pending import Pending


def table() -> dict[str, Any]:
    return held("pending.toml")


def id_of(one: Pending, told: Mapping[str, str]) -> str | None:
    """By its inputs, else by what the provider was told; None for a type, or with settings, that does not say it."""
    template: str | None = table()["ids"].get(one.type)
    try:
        return template and template.format_map({**told, **one.inputs})
    except KeyError:
        return None


def said_again(one: Pending) -> bool:
    """It needs no id: another `up` does the same once more."""
    return not one.custom or one.type in table()["again"]["types"]
