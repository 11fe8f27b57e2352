"""A request for machines, complete enough to be repeated word for word."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from provisioner.domain.offerings import Offering


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """`count` instances of one of `offerings` (all in one region, cheapest first), all or none.

    The same token with the same content is the same purchase: asked twice, it is bought once.
    """

    token: str
    offerings: tuple[Offering, ...]
    labels: Mapping[str, str]
    user_data: str
    identity: str
    """Name of the identity that the machine carries: an instance profile on AWS."""
    disk_gib: int
    count: int = 1
    max_price: Decimal | None = None
