"""What the cloud in memory sells: two types, in two regions, at prices that are easy to add up."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from provisioner.clouds.base import PriceChange
from provisioner.domain.instances import Instance
from provisioner.domain.offerings import CapacityType, NetworkWay, Pool, WayKind

HOME = "us-east-1"
ZONES = {"us-east-1": ("us-east-1a", "us-east-1b", "us-east-1c"), "us-west-2": ("us-west-2a", "us-west-2b")}
PRICES = {"p4d.24xlarge": (Decimal("6.00"), Decimal("21.957642")), "g5.48xlarge": (Decimal("5.00"), Decimal("16.288"))}
"""Spot price in the first zone, ten cents more in each further one; on-demand price."""


def market(zones: Mapping[str, Sequence[str]], now: datetime) -> Iterator[tuple[Pool, PriceChange]]:
    """Every type in every zone, spot and on-demand, each zone ten cents dearer than the one before."""
    places = [(region, zone) for region, names in zones.items() for zone in names]
    for instance_type, (spot, on_demand) in PRICES.items():
        for rank, (region, zone) in enumerate(places):
            priced = {CapacityType.SPOT: spot + rank * Decimal("0.10"), CapacityType.ON_DEMAND: on_demand}
            for capacity_type, price in priced.items():
                pool = Pool(region=region, zone=zone, instance_type=instance_type, capacity_type=capacity_type)
                yield pool, PriceChange(at=now, price_per_hour=price)


def way_of(region: str) -> NetworkWay:
    """The store's own region is reached for nothing, every other one by IPv6 and a transfer between regions."""
    if region == HOME:
        return NetworkWay(kind=WayKind.GATEWAY, reaches_internet=True)
    return NetworkWay(kind=WayKind.IPV6, price_per_gib=Decimal("0.02"), reaches_internet=True)


def pool_of(instance: Instance) -> Pool:
    return Pool(
        region=instance.region, zone=instance.zone, instance_type=instance.instance_type,
        capacity_type=instance.capacity_type,
    )  # fmt: skip
