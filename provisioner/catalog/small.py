"""Machine types without accelerators that are cheap in every region, whatever else is not known of them: small.toml."""

import re
from decimal import Decimal
from functools import cache, lru_cache

from provisioner.catalog.tariffs import held


@lru_cache(maxsize=1024)
def at_most(cloud: str, name: str) -> Decimal | None:
    """USD per hour on demand, in any region; None where the type may be dear. The cloud as small.toml names it."""
    return next((price for types, price in rows(cloud) if types.fullmatch(name.lower())), None)


@cache
def rows(cloud: str) -> list[tuple[re.Pattern[str], Decimal]]:
    return [(re.compile(row["types"]), Decimal(row["dearest"]["usd_per_hour"])) for row in held("small.toml")[cloud]]
