"""Machine types without accelerators that are cheap in every region, whatever else is not known of them: small.toml."""

import re
from functools import cache, lru_cache

from provisioner.catalog.tariffs import held


@lru_cache(maxsize=1024)
def is_small(cloud: str, name: str) -> bool:
    """Whether the type surely costs less than 1 USD/h on demand; the cloud as small.toml names it."""
    return pattern(cloud).fullmatch(name.lower()) is not None


@cache
def pattern(cloud: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{row['types']})" for row in held("small.toml")[cloud]))
