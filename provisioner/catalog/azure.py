"""Azure's regions, and what its sizes with accelerators cost: azure-prices.csv, USD per hour on demand, Linux."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from provisioner.catalog import rows
from provisioner.catalog.tariffs import held


def regions() -> tuple[str, ...]:
    """Of the public cloud, whatever they sell."""
    return tuple(held("regions.toml")["azure"])


@cache
def prices() -> Mapping[str, Mapping[str, Decimal]]:
    """By size in small letters, and region."""
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows("azure-prices.csv"):
        found.setdefault(row["vm_size"].lower(), {})[row["region"]] = Decimal(row["usd_per_hour"])
    return found


def price(size: str, region: str = "") -> Decimal | None:
    """In the region, written as eastus or East US; without one, where it is dearest. None where it is not known."""
    known = prices().get(size.lower(), {})
    if region:
        return known.get(region.lower().replace(" ", ""))
    return max(known.values(), default=None)
