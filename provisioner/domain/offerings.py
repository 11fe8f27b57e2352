"""What can be bought, where and at what price."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

GIB = 1024**3


class CapacityType(StrEnum):
    """How a machine is paid for."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


class WayKind(StrEnum):
    """How a machine without a public address reaches the object store, and what else it reaches."""

    GATEWAY = "gateway"
    """A gateway endpoint: the store of the same region, free, nothing else."""
    IPV6 = "ipv6"
    """Egress-only IPv6: any dual-stack address, no hourly price."""
    NAT = "nat"
    """A NAT gateway: everything, by the hour and by the gigabyte."""
    PUBLIC = "public"
    """A public IPv4 address that nothing can connect to: everything, by the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkWay:
    """One region's way to the store; prices in USD."""

    kind: WayKind
    price_per_hour: Decimal = Decimal(0)
    price_per_gib: Decimal = Decimal(0)
    """Per GiB moved between the machine and the store, transfer between regions included."""
    reaches_internet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What has capacity of its own: one type, in one zone, paid for in one way."""

    region: str
    zone: str
    instance_type: str
    capacity_type: CapacityType


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """A pool with its price: where an instance type can be bought. Prices are USD per hour; None is unknown."""

    cloud: str
    region: str
    zone: str
    instance_type: str
    capacity_type: CapacityType
    price_per_hour: Decimal | None
    on_demand_per_hour: Decimal | None
    way: NetworkWay

    @property
    def pool(self) -> Pool:
        return Pool(
            region=self.region, zone=self.zone, instance_type=self.instance_type, capacity_type=self.capacity_type
        )

    def hourly(self, moved_gib_per_hour: Decimal) -> Decimal | None:
        """USD per hour of machine, way, and what is moved through it; None where the machine's price is unknown."""
        if self.price_per_hour is None:
            return None
        return self.price_per_hour + self.way.price_per_hour + self.way.price_per_gib * moved_gib_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a job will accept. Empty `regions` or `zones` mean any that is prepared."""

    instance_types: tuple[str, ...]
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    capacity_types: tuple[CapacityType, ...] = (CapacityType.SPOT,)
    max_price: Decimal | None = None
    known_price: bool = False
    """A budget holds only where the price is known."""
    needs_internet: bool = False
    moved_gib_per_hour: Decimal = field(default=Decimal(0))
    """What the machine sends to the store in an hour: checkpoint size × checkpoints per hour."""


UNSEEN_GIB_PER_HOUR = Decimal(1)
"""What a job counts as sending whose checkpoint nobody has seen yet: a way that costs by the GiB is not free for it."""


def in_order(offerings: Iterable[Offering], requirements: Requirements) -> tuple[Offering, ...]:
    """Those that meet the requirements, spot before on-demand, then cheapest first; an unknown price comes last."""
    fitting = [offering for offering in offerings if fits(offering, requirements)]
    moved = requirements.moved_gib_per_hour or UNSEEN_GIB_PER_HOUR

    def rank(offering: Offering) -> tuple[bool, bool, Decimal, str, str, str]:
        hourly = offering.hourly(moved)
        late = offering.capacity_type is not CapacityType.SPOT
        return late, hourly is None, hourly or Decimal(0), offering.region, offering.zone, offering.instance_type

    return tuple(sorted(fitting, key=rank))


def fits(offering: Offering, requirements: Requirements) -> bool:
    """Whether the job accepts it. A limit refuses an unknown price: unknown is never cheap."""
    wanted = requirements
    return (
        affordable(offering.price_per_hour, wanted)
        and offering.instance_type in wanted.instance_types
        and offering.capacity_type in wanted.capacity_types
        and (not wanted.regions or offering.region in wanted.regions)
        and (not wanted.zones or offering.zone in wanted.zones)
        and (not wanted.needs_internet or offering.way.reaches_internet)
    )


def affordable(price: Decimal | None, wanted: Requirements) -> bool:
    if price is None:
        return wanted.max_price is None and not wanted.known_price
    return wanted.max_price is None or price <= wanted.max_price


def moved_per_hour(checkpoint_bytes: int, every: timedelta) -> Decimal:
    """GiB that a job sends in an hour when the whole checkpoint changes each time."""
    if every <= timedelta(0):
        return Decimal(0)
    return Decimal(checkpoint_bytes) / GIB * Decimal(3600 / every.total_seconds())
