"""What Azure's sizes with accelerators cost: azure-prices.csv, USD per hour on demand, Linux, by region."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from provisioner.catalog import rows


@cache
def prices() -> Mapping[str, Mapping[str, Decimal]]:
    """By size in small letters, and region."""
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows("azure-prices.csv"):
        found.setdefault(row["vm_size"].lower(), {})[row["region"]] = Decimal(row["usd_per_hour"])
    return found


def price(size: str, region: str = "") -> Decimal | None:
    """In the region, written as eastus or East US; without one, where it is cheapest. None where it is not known."""
    held = prices().get(size.lower(), {})
    if region:
        return held.get(region.lower().replace(" ", ""))
    return min(held.values(), default=None)
