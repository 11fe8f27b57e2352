"""Several pools of machines in one resource: each is judged and priced by itself, under the labels of what holds it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from provisioner.rules.aws import listed
from provisioner.rules.facts import UNKNOWN, Facts


def together(pools: Sequence[Facts], labels: Any) -> Facts:
    """At least one pool is wanted. `labels` are those of the resource that holds them."""
    carrying = tuple(replace(one, labels=labels) for one in pools if one.instance_types != ())
    return replace((carrying or pools)[0], labels=labels, instance_types=types_of(carrying), pools=carrying)


def types_of(pools: Iterable[Facts]) -> Any:
    kinds: list[Any] = [one.instance_types for one in pools]
    return UNKNOWN if UNKNOWN in kinds else tuple(name for kind in kinds for name in kind)


def rows_of(value: Any) -> list[Any]:
    """The rows of a list; a single one that is not known where the list is not."""
    rows = listed(value)
    return [UNKNOWN] if rows is UNKNOWN else rows


def number(value: Any) -> Any:
    """Some blocks write numbers as text. Raises TypeError or ValueError for what is none."""
    return value if value is UNKNOWN else int(value)


def added(numbers: Iterable[Any]) -> Any:
    """UNKNOWN where one is."""
    held = [number(one) for one in numbers]
    return UNKNOWN if UNKNOWN in held else sum(held)
