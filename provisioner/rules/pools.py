"""Several pools of machines in one resource, as one fact: what surely stays hides behind nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from provisioner.rules.facts import UNKNOWN, Facts


def together(pools: Sequence[Facts], labels: Any) -> Facts:
    """At least one pool is wanted. `labels` are those of the resource that holds them."""
    carrying = [one for one in pools if one.instance_types != ()]
    open_ones = [one for one in carrying if UNKNOWN in (one.instance_types, one.least)]
    sure = [one for one in carrying if one not in open_ones and one.least]
    shown = sure or open_ones or carrying
    return replace(
        (shown or pools)[0], labels=labels, instance_types=types_of(shown), least=added(one.least for one in shown),
        most=added(one.most for one in carrying),
    )  # fmt: skip


def types_of(pools: Iterable[Facts]) -> Any:
    kinds: list[Any] = [one.instance_types for one in pools]
    return UNKNOWN if UNKNOWN in kinds else tuple(name for kind in kinds for name in kind)


def added(numbers: Iterable[Any]) -> Any:
    """UNKNOWN where one is, or where one has no limit."""
    held = list(numbers)
    return UNKNOWN if UNKNOWN in held or None in held else sum(held)
