"""Prices of what a job uses beside its machine."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """USD for what a job uses beside its machine."""

    disk_gib_month: Decimal
    store_gib_month: Decimal
    put_per_thousand: Decimal
