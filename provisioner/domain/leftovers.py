"""What is there, beside machines that work: things that a teardown removes, and capacity that is paid for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something of ours that exists.

    `price_per_hour` is the most that it costs, None where that is unknown; `order` is the place in a teardown.
    """

    kind: str
    id: str
    region: str
    labels: Mapping[str, str]
    order: int
    price_per_hour: Decimal | None = Decimal(0)
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepaid:
    """Capacity of ours that costs the same whether it is used or not; a teardown names it and leaves it.

    `paid` says that all of it was paid when it was bought; else `price_per_hour` (USD, None where it is not known) goes
    on until `ends_at`, or until somebody cancels it where that is None.
    """

    kind: str
    id: str
    region: str
    labels: Mapping[str, str]
    state: str
    instance_type: str
    machines: int
    paid: bool
    price_per_hour: Decimal | None
    ends_at: datetime | None
