"""One setup of one region: private subnets in every zone, and the ways by which machines reach the store.

Every step looks for its thing by label before it makes it, so that setup can be repeated, continued after a kill, and
run twice at once. Nothing is ever made without its label.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError

from provisioner.catalog import labels
from provisioner.catalog.foundation import (
    EGRESS,
    ENDPOINT,
    EVERYTHING,
    EVERYTHING_IPV6,
    GROUP,
    GROUP_NAME,
    GROUP_SAYS,
    NETWORK,
    OF_NETWORK,
    ROUTES,
    SUBNET,
    endpoint_service,
    ipv4_slice,
    ipv6_slice,
    network_block,
    slice_of,
)
from provisioner.clock import Clock
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.kinds import BY_NAME
from provisioner.clouds.aws.sessions import rows
from provisioner.clouds.base import Prepared
from provisioner.domain.offerings import WayKind
from provisioner.errors import CloudUnavailable

NAT_SLICE = 15
"""Zones take the slice of their letter; no region has one called p."""
SETTLES_WITHIN = timedelta(minutes=5)
DEAD = {"deleted", "deleting", "failed"}
OTHERWISE = {
    "egress-only-internet-gateway": "egress-only-gateway", "elastic-ip": "address", "natgateway": "nat-gateway",
}  # fmt: skip
"""Kinds that the labels of a create call name in other words than everything else here."""


Ec2 = Any
"""A client of EC2; its answers are read as plain dictionaries here."""


def named(resource: str) -> str:
    return OTHERWISE.get(resource, resource)


class Preparation:
    """The steps, in order of dependence."""

    def __init__(self, ec2: Ec2, region: str, way: WayKind, *, once: Ec2, zones: Sequence[str], clock: Clock) -> None:
        """`once` never repeats a call by itself: for what has no client token, and costs by the hour."""
        self._ec2, self._once, self._region, self._way = ec2, once, region, way
        self._zones, self._clock = zones, clock
        self._vpc = ""

    def steps(self) -> Iterator[Prepared]:
        found = self._choose()
        yield found
        vpc = self._vpc = found.id
        block = self._ipv6_block(vpc)
        table = yield from self._one("route-table", ROUTES, self._table(vpc, ROUTES))
        for zone in self._zones:
            make = self._subnet(vpc, block, zone, kind=SUBNET, number=slice_of(zone))
            subnet = yield from self._one("subnet", SUBNET, make, availability_zone=zone)
            self._associate(table, subnet)
        yield from self._one("security-group", GROUP, lambda: self._make_group(vpc))
        yield from self._one("vpc-endpoint", ENDPOINT, lambda: self._make_endpoint(vpc, table))
        match self._way:
            case WayKind.GATEWAY:
                self._no_route(table, DestinationIpv6CidrBlock=EVERYTHING_IPV6)
                self._no_route(table, DestinationCidrBlock=EVERYTHING)
            case WayKind.IPV6:
                yield from self._egress(vpc, table)
            case WayKind.PUBLIC | WayKind.NAT:
                yield from self._internet(vpc, table, block)

    def _egress(self, vpc: str, table: str) -> Iterator[Prepared]:
        """Out by IPv6, and never in."""

        def make() -> str:
            made = self._ec2.create_egress_only_internet_gateway(
                VpcId=vpc, **self._marks("egress-only-internet-gateway", EGRESS)
            )
            return made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]

        gateway = yield from self._one("egress-only-internet-gateway", EGRESS, make)
        self._route(table, EgressOnlyInternetGatewayId=gateway, DestinationIpv6CidrBlock=EVERYTHING_IPV6)
        self._no_route(table, DestinationCidrBlock=EVERYTHING)

    def _internet(self, vpc: str, table: str, block: str) -> Iterator[Prepared]:
        gateway = yield from self._one("internet-gateway", "internet", self._make_internet)
        self._attach(vpc, gateway)
        if self._way is WayKind.PUBLIC:
            self._route(table, GatewayId=gateway, DestinationCidrBlock=EVERYTHING)
        else:
            nat = yield from self._nat(vpc, gateway, block)
            self._route(table, NatGatewayId=nat, DestinationCidrBlock=EVERYTHING)

    def _nat(self, vpc: str, gateway: str, block: str) -> Generator[Prepared, None, str]:
        """A subnet of its own that leads to the internet, with the NAT gateway in it; gives the gateway's id."""
        table = yield from self._one("route-table", "nat-routes", self._table(vpc, "nat-routes"))
        self._route(table, GatewayId=gateway, DestinationCidrBlock=EVERYTHING)
        make = self._subnet(vpc, block, self._zones[0], kind="nat-subnet", number=NAT_SLICE)
        subnet = yield from self._one("subnet", "nat-subnet", make)
        self._associate(table, subnet)
        address = yield from self._one("elastic-ip", "nat-address", self._make_address)
        nat = yield from self._one("natgateway", "nat", lambda: self._make_nat(subnet, address))
        with translated("ec2:DescribeNatGateways"):
            attempts = {"Delay": 5, "MaxAttempts": int(SETTLES_WITHIN.total_seconds()) // 5}
            self._ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig=attempts)
        return nat

    # find, then make --------------------------------------------------------------------------------------------------

    def _one(self, resource: str, kind: str, make: Callable[[], str], **where: str) -> Generator[Prepared, None, str]:
        """The one thing of the kind, made where there is none; gives its id."""
        thing = self._found_or_made(resource, kind, make, where=where)
        yield thing
        return thing.id

    def _found_or_made(self, resource: str, kind: str, make: Callable[[], str], *, where: dict[str, str]) -> Prepared:
        """Whoever is refused because another setup was quicker takes what that one made; without an answer, its own."""
        if found := self._find(resource, kind, where):
            return self._first(resource, found)
        with translated(f"ec2:Create* ({resource})"):
            try:
                return Prepared(kind=named(resource), id=make(), region=self._region, made=True)
            except (ClientError, HTTPClientError):
                if found := self._find(resource, kind, where):
                    return self._first(resource, found)
                raise

    def _first(self, resource: str, found: dict[str, str]) -> Prepared:
        return Prepared(kind=named(resource), id=min(found), region=self._region, made=False, stack=found[min(found)])

    def _find(self, resource: str, kind: str, where: dict[str, str] | None = None) -> dict[str, str]:
        """The stack that owns each, by id; empty where setup made it."""
        listing = BY_NAME[named(resource)]
        place = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in (where or {}).items()]
        marks = {labels.KIND: kind} | ({OF_NETWORK: self._vpc} if self._vpc else {})
        found = rows(self._ec2, listing.describe, listing.items, Filters=tags.matching(marks) + place)
        living = [item for item in found if item.get("State") not in DEAD]
        return {item[listing.id]: tags.read(item.get("Tags")).get(labels.STACK, "") for item in living}

    def _choose(self) -> Prepared:
        """The region's network: of several that racing setups made, everybody uses the first by name.

        Whoever made another one just now takes it back, empty as it is; one that was filled before anybody could know
        stays labelled, unused, and goes with everything else.
        """
        chosen = self._found_or_made("vpc", NETWORK, self._make_vpc, where={})
        others = self._find("vpc", NETWORK) if chosen.made else {}
        if min([*others, chosen.id]) == chosen.id:
            return chosen
        with translated("ec2:DeleteVpc"):
            self._ec2.delete_vpc(VpcId=chosen.id)
        return self._first("vpc", others)

    def _marks(self, resource: str, kind: str) -> dict[str, Any]:
        network = {OF_NETWORK: self._vpc} if self._vpc else {}
        return {"TagSpecifications": tags.in_create(resource, labels.ours(kind=kind) | network)}

    def _make_vpc(self) -> str:
        made = self._ec2.create_vpc(
            CidrBlock=network_block(), AmazonProvidedIpv6CidrBlock=True, **self._marks("vpc", NETWORK)
        )
        return made["Vpc"]["VpcId"]

    def _ipv6_block(self, vpc: str) -> str:
        """The /56 that AWS gives; a new network's is on its way for a moment. Raises CloudUnavailable."""
        give_up = self._clock.now() + SETTLES_WITHIN
        while True:
            with translated("ec2:DescribeVpcs"):
                held = self._ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0].get("Ipv6CidrBlockAssociationSet", [])
            for one in held:
                if one["Ipv6CidrBlockState"]["State"] == "associated":
                    return one["Ipv6CidrBlock"]
            if self._clock.now() > give_up:
                raise CloudUnavailable(f"{vpc} has no IPv6 addresses yet.", hint="run setup again; it continues.")
            self._clock.sleep(timedelta(seconds=1))

    def _table(self, vpc: str, kind: str) -> Callable[[], str]:
        def make() -> str:
            made = self._ec2.create_route_table(VpcId=vpc, **self._marks("route-table", kind))
            return made["RouteTable"]["RouteTableId"]

        return make

    def _subnet(self, vpc: str, block: str, zone: str, *, kind: str, number: int) -> Callable[[], str]:
        """A slice of the network's addresses."""

        def make() -> str:
            made = self._ec2.create_subnet(
                VpcId=vpc, AvailabilityZone=zone, CidrBlock=ipv4_slice(number),
                Ipv6CidrBlock=ipv6_slice(block, number),
                **self._marks("subnet", kind),
            )  # fmt: skip
            return made["Subnet"]["SubnetId"]

        return make

    def _associate(self, table: str, subnet: str) -> None:
        associated = [{"Name": "association.subnet-id", "Values": [subnet]}]
        held = rows(self._ec2, "describe_route_tables", "RouteTables", Filters=associated)
        bonds = [bond for one in held for bond in one["Associations"] if bond.get("SubnetId") == subnet]
        with translated("ec2:AssociateRouteTable"):
            if not bonds:
                self._ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
            elif bonds[0]["RouteTableId"] != table:  # another setup came first, or was cut short
                bond = bonds[0]["RouteTableAssociationId"]
                self._ec2.replace_route_table_association(AssociationId=bond, RouteTableId=table)

    def _make_group(self, vpc: str) -> str:
        """Everything may leave (EC2's default, for IPv6 too), nothing may come in."""
        return self._ec2.create_security_group(
            GroupName=GROUP_NAME, Description=GROUP_SAYS, VpcId=vpc,
            **self._marks("security-group", GROUP),
        )["GroupId"]  # fmt: skip

    def _make_endpoint(self, vpc: str, table: str) -> str:
        return self._ec2.create_vpc_endpoint(
            VpcEndpointType="Gateway", VpcId=vpc, ServiceName=endpoint_service(self._region), RouteTableIds=[table],
            **self._marks("vpc-endpoint", ENDPOINT),
        )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip

    def _make_internet(self) -> str:
        made = self._ec2.create_internet_gateway(**self._marks("internet-gateway", "internet"))
        return made["InternetGateway"]["InternetGatewayId"]

    def _attach(self, vpc: str, gateway: str) -> None:
        with translated("ec2:AttachInternetGateway"):
            held = self._ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]
            if not held.get("Attachments"):
                self._ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)

    def _make_address(self) -> str:
        return self._once.allocate_address(Domain="vpc", **self._marks("elastic-ip", "nat-address"))["AllocationId"]

    def _make_nat(self, subnet: str, address: str) -> str:
        made = self._ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **self._marks("natgateway", "nat"))
        return made["NatGateway"]["NatGatewayId"]

    def _route(self, table: str, **route: str) -> None:
        """The destination leads there from now on, wherever it led before."""
        with translated("ec2:CreateRoute"):
            try:
                self._ec2.create_route(RouteTableId=table, **route)
            except ClientError as error:
                if code_of(error) != "RouteAlreadyExists":
                    raise
                self._ec2.replace_route(RouteTableId=table, **route)

    def _no_route(self, table: str, **destination: str) -> None:
        with translated("ec2:DeleteRoute"):
            try:
                self._ec2.delete_route(RouteTableId=table, **destination)
            except ClientError as error:
                if code_of(error) not in ("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"):
                    raise
