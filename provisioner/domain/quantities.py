"""Durations and amounts as people write them."""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def duration(text: str) -> timedelta:
    """90, 90s, 5m, 1h30m, 2d. Raises ValueError for anything else."""
    written = text.strip().lower()
    written = f"{written}s" if re.fullmatch(r"\d+(\.\d+)?", written) else written
    parts = PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        raise ValueError(f"'{text}' is not a duration such as 90s, 5m, 1h30m or 2d")
    return timedelta(seconds=sum(float(number) * SECONDS[unit] for number, unit in parts))


def usd(text: str) -> Decimal:
    """A positive amount. Raises ValueError for anything else."""
    try:
        amount = Decimal(text.strip().lstrip("$"))
    except InvalidOperation:
        raise ValueError(f"'{text}' is not an amount of US dollars such as 12.50") from None
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"'{text}' is not a positive amount of US dollars")
    return amount
