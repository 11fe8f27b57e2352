"""Durations and amounts as people write them."""

import re
from datetime import timedelta
from decimal import Decimal

UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+(?:\.[0-9]+)?){unit})?" for unit in UNITS))
SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
LONGEST = timedelta(days=3650)
USD = re.compile(r"\$?(?P<amount>[0-9]+(?:\.[0-9]+)?)")


def duration(text: str) -> timedelta:
    """90 (seconds), 90s, 5m, 1h30m, 2d; the largest unit first, each at most once. Raises ValueError otherwise."""
    written = text.strip().lower()
    found = DURATION.fullmatch(f"{written}s" if SECONDS.fullmatch(written) else written)
    if not written or found is None:
        raise ValueError(f"'{text}' is not a duration such as 90s, 5m, 1h30m or 2d")
    try:
        total = sum((float(number) * UNITS[unit] for unit, number in found.groupdict("0").items()), timedelta())
    except OverflowError:
        total = timedelta.max
    if total > LONGEST:
        raise ValueError(f"'{text}' is longer than {LONGEST.days} days")
    return total


def written(span: timedelta) -> str:
    """As `duration` reads it: 2d, 1h30m, 90.5s is 1m30.5s."""
    left, parts = span, list[str]()
    for unit, size in UNITS.items():
        count = left / size if unit == "s" else left // size
        left -= int(count) * size
        parts += [f"{count:g}{unit}"] if count else []
    return "".join(parts) or "0s"


def usd(text: str) -> Decimal:
    """A positive amount such as 12.50 or $12.50, exactly. Raises ValueError for anything else."""
    found = USD.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not an amount of US dollars such as 12.50")
    amount = Decimal(found["amount"])
    if amount == 0:
        raise ValueError(f"'{text}' is not a positive amount of US dollars")
    return amount
