"""JSON as the contract has it: for the command line, and for the lines of a function's log."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

CURRENCY = "USD"
"""Of every amount."""


def plain(value: object) -> object:
    """How the contract writes what JSON has no word for."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case Decimal() | Path():
            return str(value)
        case Mapping():
            return dict(cast(Mapping[str, Any], value))
        case set() | frozenset() | tuple():
            return list(cast(Iterable[Any], value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return asdict(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in JSON output")
