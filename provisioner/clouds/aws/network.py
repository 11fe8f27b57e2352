"""The network of each prepared region, found by label; and how its machines reach the job store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from provisioner.catalog import labels
from provisioner.catalog.foundation import EVERYTHING, EVERYTHING_IPV6, GROUP, ROUTES, SUBNET
from provisioner.catalog.tariffs import transfer_per_gib
from provisioner.catalog.tariffs import way as priced
from provisioner.clock import Clock
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.preparation import Preparation
from provisioner.clouds.aws.sessions import Sessions, rows
from provisioner.clouds.base import Prepared
from provisioner.domain.offerings import NetworkWay, WayKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A prepared region. `subnets` are ids by zone; `way` leads to all that the gateway endpoint does not."""

    region: str
    vpc: str
    security_group: str
    subnets: Mapping[str, str]
    way: WayKind


class Networks:
    """Makes and finds the network of each region."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock
        self._found: dict[str, Network] = {}

    def find(self, region: str) -> Network | None:
        """None where setup has not been, or was cut short."""
        if region not in self._found and (network := self._look(region)):
            self._found[region] = network
        return self._found.get(region)

    def forget(self, region: str) -> None:
        """What was found there may be there no longer."""
        self._found.pop(region, None)

    def _look(self, region: str) -> Network | None:
        ec2 = self._sessions.ec2(region)
        groups = rows(ec2, "describe_security_groups", "SecurityGroups", Filters=tags.matching({labels.KIND: GROUP}))
        if not groups:
            return None
        group = min(groups, key=lambda group: group["VpcId"])
        vpc: list[Any] = [{"Name": "vpc-id", "Values": [group["VpcId"]]}]
        subnets = rows(ec2, "describe_subnets", "Subnets", Filters=tags.matching({labels.KIND: SUBNET}) + vpc)
        tables = rows(ec2, "describe_route_tables", "RouteTables", Filters=tags.matching({labels.KIND: ROUTES}) + vpc)
        return Network(
            region=region, vpc=group["VpcId"], security_group=group["GroupId"],
            subnets={subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets},
            way=way_of([route for table in tables for route in table["Routes"]]),
        )  # fmt: skip

    def way(self, region: str, store_region: str) -> NetworkWay | None:
        """How the region's machines reach the store; None where they do not.

        At home the gateway endpoint carries what goes to the store for nothing, whatever else there is.
        """
        network, home = self.find(region), region == store_region
        if network is None or (network.way is WayKind.GATEWAY and not home):
            return None
        transfer = transfer_per_gib(region, store_region)
        found = priced(network.way, reaches_internet=network.way is not WayKind.GATEWAY, transfer=transfer)
        return replace(found, price_per_gib=Decimal(0)) if home else found

    def prepare(self, region: str, way: WayKind | None, *, ready: bool = False) -> list[Prepared]:
        """Everything that the region's machines need; without `way` the one that is there, or the free one.

        A gateway alone was chosen only where the region is `ready`; otherwise a setup was cut short there.
        """
        self.forget(region)
        existing = self.find(region)
        kept = existing.way if existing and (ready or existing.way is not WayKind.GATEWAY) else WayKind.IPV6
        self.forget(region)
        zones = self._sessions.zones(region)
        ec2, once = self._sessions.ec2(region), self._sessions.ec2(region, once=True)
        return list(Preparation(ec2, region, way or kept, once=once, zones=zones, clock=self._clock).steps())


def way_of(routes: list[Any]) -> WayKind:
    """By where the default routes of the machines' subnets lead; one whose gateway is gone leads nowhere."""
    routes = [route for route in routes if route.get("State") != "blackhole"]
    everywhere = [route for route in routes if route.get("DestinationCidrBlock") == EVERYTHING]
    if any(route.get("GatewayId", "").startswith("igw-") for route in everywhere):
        return WayKind.PUBLIC
    if any(route.get("NatGatewayId") for route in everywhere):
        return WayKind.NAT
    if any(route.get("DestinationIpv6CidrBlock") == EVERYTHING_IPV6 for route in routes):
        return WayKind.IPV6
    return WayKind.GATEWAY
