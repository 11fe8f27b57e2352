"""What can be bought where and at what price, and what was charged."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import repeat
from typing import TYPE_CHECKING, Any

from provisioner.clock import Clock
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.hourly import on_demand_price
from provisioner.clouds.aws.network import Networks
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import PriceChange, Sold, silent
from provisioner.domain.offerings import CapacityType, Offering, Requirements
from provisioner.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

NO_NETWORK = "no-network"
LINUX = ["Linux/UNIX"]
SIDE_BY_SIDE = 8
LEFT_ALONE = timedelta(minutes=3)
"""A region that does not answer takes most of a minute to say so."""


class Offerings:
    """Types sold per zone, with live spot prices and the catalog's on-demand ones."""

    def __init__(self, sessions: Sessions, networks: Networks, clock: Clock) -> None:
        self._sessions, self._networks, self._clock = sessions, networks, clock
        self._silent: dict[str, tuple[datetime, CloudError]] = {}

    def find(self, wanted: Requirements, *, regions: Sequence[str], store_region: str) -> Sold:
        """In the prepared regions among these, side by side. Raises CloudError where none of them answers."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            answers = list(pool.map(self._answer, repeat(wanted), regions, repeat(store_region)))
        refusals = {region: why for region, why in zip(regions, answers, strict=True) if isinstance(why, CloudError)}
        down = [why for why in refusals.values() if why.code != NO_NETWORK]
        if down and len(refusals) == len(regions):
            self._silent.clear()
            raise down[0]
        sold = (offering for found in answers if not isinstance(found, CloudError) for offering in found)
        return Sold(sold, (row for region, why in refusals.items() for row in silent(region, why, wanted)))

    def _answer(self, wanted: Requirements, region: str, store_region: str) -> list[Offering] | CloudError:
        """Why, of a region that cannot be asked; it is left alone for a few minutes."""
        until, why = self._silent.get(region, (None, None))
        if until is not None and why is not None and self._clock.now() < until:
            return why
        try:
            return self._in_region(wanted, region, store_region)
        except CloudError as refusal:
            self._silent[region] = (self._clock.now() + LEFT_ALONE, refusal)
            return refusal

    def _in_region(self, wanted: Requirements, region: str, store_region: str) -> list[Offering]:
        network, way = self._networks.find(region), self._networks.way(region, store_region)
        if network is None:
            repair = f"'accelctl setup --region {region}' makes it again"
            raise CloudError(f"{region} was prepared, and its network is gone: {repair}.", code=NO_NETWORK)
        if way is None:
            return []
        ec2 = self._sessions.ec2(region)
        sold = [(kind, zone) for kind, zone in self._sold(ec2, wanted.instance_types) if zone in network.subnets]
        spot = self._spot_prices(ec2, wanted.instance_types) if CapacityType.SPOT in wanted.capacity_types else {}
        found: list[Offering] = []
        for kind, zone in sold:
            on_demand = on_demand_price(kind, region)
            for capacity, price in prices(wanted, spot.get((kind, zone)), on_demand):
                found.append(Offering(
                    cloud="aws", region=region, zone=zone, instance_type=kind, capacity_type=capacity,
                    price_per_hour=price, on_demand_per_hour=on_demand, way=way,
                ))  # fmt: skip
        return found

    def _sold(self, ec2: "EC2Client", kinds: Iterable[str]) -> list[tuple[str, str]]:
        filters: list[Any] = [{"Name": "instance-type", "Values": list(kinds)}]
        with translated("ec2:DescribeInstanceTypeOfferings"):
            pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
                LocationType="availability-zone", Filters=filters
            )
            return [(row["InstanceType"], row["Location"]) for page in pages for row in page["InstanceTypeOfferings"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _spot_prices(self, ec2: "EC2Client", kinds: Iterable[str]) -> dict[tuple[str, str], Decimal]:
        """The newest price per type and zone."""
        newest: dict[tuple[str, str], tuple[datetime, Decimal]] = {}
        for row in self._history(ec2, list(kinds), start=self._clock.now()):
            place = (row["InstanceType"], row["AvailabilityZone"])
            if place not in newest or row["Timestamp"] > newest[place][0]:
                newest[place] = (row["Timestamp"], Decimal(row["SpotPrice"]))
        return {place: price for place, (_, price) in newest.items()}

    def _history(self, ec2: "EC2Client", kinds: list[str], *, start: datetime, zone: str = "") -> list[Any]:
        more: dict[str, Any] = {"AvailabilityZone": zone} if zone else {}
        with translated("ec2:DescribeSpotPriceHistory"):
            pages = ec2.get_paginator("describe_spot_price_history").paginate(
                InstanceTypes=kinds,  # pyright: ignore[reportArgumentType] - any type's name
                ProductDescriptions=LINUX, StartTime=start, **more,
            )  # fmt: skip
            return [row for page in pages for row in page["SpotPriceHistory"]]

    def history(self, offering: Offering, start: datetime, end: datetime) -> list[PriceChange]:
        """Oldest first; for on-demand the one price. Empty where it is unknown."""
        if offering.capacity_type is CapacityType.ON_DEMAND:
            price = offering.on_demand_per_hour
            return [PriceChange(at=start, price_per_hour=price)] if price is not None else []
        ec2 = self._sessions.ec2(offering.region)
        rows = self._history(ec2, [offering.instance_type], start=start, zone=offering.zone)
        changes = sorted(
            (row["Timestamp"], Decimal(row["SpotPrice"])) for row in rows if row["AvailabilityZone"] == offering.zone
        )
        return [PriceChange(at=at, price_per_hour=price) for at, price in changes if at < end]


def prices(
    wanted: Requirements, spot: Decimal | None, on_demand: Decimal | None
) -> list[tuple[CapacityType, Decimal | None]]:
    """What is on sale: a spot price at or above on-demand says that there is no spot capacity there."""
    found: list[tuple[CapacityType, Decimal | None]] = []
    if spot is not None and (on_demand is None or spot < on_demand):
        found.append((CapacityType.SPOT, spot))
    if CapacityType.ON_DEMAND in wanted.capacity_types:
        found.append((CapacityType.ON_DEMAND, on_demand))
    return found
