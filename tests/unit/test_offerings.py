"""The order in which offerings are tried."""

from decimal import Decimal

import pytest

from provisioner.domain.offerings import CapacityType, NetworkWay, Offering, Requirements, WayKind, in_order

KIND = "c6i.large"


def sold(region: str, price: str, *, per_gib: str = "0", capacity: CapacityType = CapacityType.SPOT) -> Offering:
    way = NetworkWay(kind=WayKind.IPV6, price_per_gib=Decimal(per_gib))
    return Offering(
        cloud="aws", region=region, zone=f"{region}a", instance_type=KIND, capacity_type=capacity,
        price_per_hour=Decimal(price), on_demand_per_hour=None, way=way,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("moved", "first"),
    [("0", "us-east-1"), ("0.001", "eu-central-1"), ("10", "us-east-1")],
    ids=["a first checkpoint, of unknown size", "next to nothing to send", "much to send"],
)
def test_what_goes_through_the_way_to_the_store_has_its_price(moved: str, first: str) -> None:
    """A machine beside the store comes before one that is a little cheaper and sends everything abroad."""
    offerings = [sold("eu-central-1", "0.0290", per_gib="0.02"), sold("us-east-1", "0.0298")]
    ordered = in_order(offerings, Requirements(instance_types=(KIND,), moved_gib_per_hour=Decimal(moved)))

    assert ordered[0].region == first


def test_on_demand_comes_after_all_spot() -> None:
    """Even where it is the cheapest."""
    both = (CapacityType.SPOT, CapacityType.ON_DEMAND)
    offerings = [sold("us-east-1", "1", capacity=CapacityType.ON_DEMAND), sold("us-east-2", "2")]

    ordered = in_order(offerings, Requirements(instance_types=(KIND,), capacity_types=both))
    assert [offering.capacity_type for offering in ordered] == list(both)
