"""A region's network for jobs: private subnets in every zone, and the ways by which machines reach the store.

Every step looks for its thing by label before it makes it, so that setup can be repeated, and continued after a kill.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioner.catalog import labels
from provisioner.catalog.tariffs import way as priced
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import Prepared
from provisioner.domain.offerings import NetworkWay, WayKind
from provisioner.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

CIDR = "10.117.0.0/16"
MOST_ZONES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """Where machines of a zone live."""

    id: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A prepared region."""

    region: str
    vpc: str
    security_group: str
    subnets: Mapping[str, Subnet]
    """By zone."""
    way: WayKind
    """To everything that the gateway endpoint does not lead to."""


class Networks:
    """Makes and finds the network of each region."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._found: dict[str, Network] = {}

    def find(self, region: str) -> Network | None:
        """None where setup has not been, or was cut short."""
        if region not in self._found and (network := self._look(region)):
            self._found[region] = network
        return self._found.get(region)

    def _look(self, region: str) -> Network | None:
        ec2, ours = self._sessions.ec2(region), tags.matching({})
        with translated("ec2:DescribeSubnets"):
            pages = ec2.get_paginator("describe_subnets").paginate(Filters=ours)
            subnets = [subnet for page in pages for subnet in page["Subnets"]]
        with translated("ec2:DescribeSecurityGroups"):
            groups = ec2.describe_security_groups(Filters=ours)["SecurityGroups"]
        if not subnets or not groups:
            return None
        kind = tags.read(subnets[0].get("Tags")).get(WAY, WayKind.IPV6)
        return Network(
            region=region, vpc=subnets[0].get("VpcId", ""), security_group=groups[0].get("GroupId", ""),
            subnets={s["AvailabilityZone"]: Subnet(id=s["SubnetId"], zone=s["AvailabilityZone"]) for s in subnets},  # pyright: ignore[reportTypedDictNotRequiredAccess]
            way=WayKind(kind),
        )  # fmt: skip

    def way(self, region: str, store_region: str) -> NetworkWay:
        """How the region's machines reach the store: by the gateway at home, else by the network's own way."""
        network = self.find(region)
        kind = network.way if network else WayKind.GATEWAY
        home = region == store_region
        reaches = kind is not WayKind.GATEWAY
        # At home the store is reached by the free gateway; a way that is paid by the hour is paid all the same.
        found = priced(kind, same_region=home, reaches_internet=reaches)
        if not home or kind in (WayKind.GATEWAY, WayKind.IPV6):
            return (
                found
                if not home or kind is WayKind.IPV6
                else priced(WayKind.GATEWAY, same_region=True, reaches_internet=False)
            )
        free = priced(WayKind.GATEWAY, same_region=True, reaches_internet=True)
        return NetworkWay(
            kind=kind, price_per_hour=found.price_per_hour, price_per_gib=free.price_per_gib, reaches_internet=True
        )

    def prepare(self, region: str, way: WayKind) -> Iterator[Prepared]:
        """Everything that the region's machines need, in order of dependence."""
        self._found.pop(region, None)
        yield from Preparation(self._sessions.ec2(region), region, way).steps()


WAY = "accelctl:way"


class Preparation:
    """One setup of one region."""

    def __init__(self, ec2: "EC2Client", region: str, way: WayKind) -> None:
        self._ec2, self._region, self._way = ec2, region, way

    def steps(self) -> Iterator[Prepared]:
        vpc, made = self._ensure("vpc", self._vpcs, self._make_vpc)
        yield self._told("vpc", vpc, made)
        table, made = self._ensure("route-table", lambda: self._tables(vpc), lambda: self._make_table(vpc))
        yield self._told("route-table", table, made)
        for number, zone in enumerate(self._zones()):
            subnet, made = self._ensure(
                f"subnet-{zone}", lambda z=zone: self._subnets(z), lambda n=number, z=zone: self._make_subnet(vpc, n, z)
            )
            self._associate(table, subnet)
            yield self._told("subnet", subnet, made)
        group, made = self._ensure("security-group", lambda: self._groups(vpc), lambda: self._make_group(vpc))
        yield self._told("security-group", group, made)
        endpoint, made = self._ensure("endpoint", lambda: self._endpoints(vpc), lambda: self._make_endpoint(vpc, table))
        yield self._told("vpc-endpoint", endpoint, made)
        yield from self._ways(vpc, table)

    def _ways(self, vpc: str, table: str) -> Iterator[Prepared]:
        if self._way is WayKind.GATEWAY:
            return
        if self._way is WayKind.IPV6:
            gateway, made = self._ensure("egress", self._egress, lambda: self._make_egress(vpc))
            self._route(table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=gateway)
            yield self._told("egress-only-gateway", gateway, made)
            return
        internet, made = self._ensure("internet", self._internet, lambda: self._make_internet(vpc))
        yield self._told("internet-gateway", internet, made)
        if self._way is WayKind.PUBLIC:
            self._route(table, DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
            return
        yield from self._nat(vpc, table, internet)

    def _nat(self, vpc: str, table: str, internet: str) -> Iterator[Prepared]:
        """A subnet of its own that leads to the internet, with the NAT gateway in it."""
        public, made = self._ensure(
            "public-table", lambda: self._tables(vpc, "public"), lambda: self._make_table(vpc, "public")
        )
        self._route(public, DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
        yield self._told("route-table", public, made)
        zone = self._zones()[0]
        subnet, made = self._ensure(
            "nat-subnet", lambda: self._subnets(zone, "nat"), lambda: self._make_subnet(vpc, MOST_ZONES, zone, "nat")
        )
        self._associate(public, subnet)
        yield self._told("subnet", subnet, made)
        address, made = self._ensure("address", self._addresses, self._make_address)
        yield self._told("address", address, made)
        nat, made = self._ensure("nat", self._nats, lambda: self._make_nat(subnet, address))
        yield self._told("nat-gateway", nat, made)
        with translated("ec2:DescribeNatGateways"):
            self._ec2.get_waiter("nat_gateway_available").wait(
                NatGatewayIds=[nat], WaiterConfig={"Delay": 5, "MaxAttempts": 60}
            )
        self._route(table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)

    # each kind: find, make --------------------------------------------------------------------------------------------

    def _ensure(self, what: str, find: Any, make: Any) -> tuple[str, bool]:
        with translated(f"ec2:Describe* ({what})"):
            found: list[str] = find()
        if found:
            return min(found), False
        with translated(f"ec2:Create* ({what})"):
            return make(), True

    def _told(self, kind: str, id: str, made: bool) -> Prepared:
        return Prepared(kind=kind, id=id, region=self._region, made=made)

    def _ours(self, kind: str) -> list[Any]:
        return tags.matching({labels.KIND: kind})

    def _marks(self, resource: str, kind: str) -> list[Any]:
        return tags.in_create(resource, labels.ours(kind=kind) | {WAY: self._way})

    def _vpcs(self) -> list[str]:
        return [vpc["VpcId"] for vpc in self._ec2.describe_vpcs(Filters=self._ours("network"))["Vpcs"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_vpc(self) -> str:
        made = self._ec2.create_vpc(
            CidrBlock=CIDR, AmazonProvidedIpv6CidrBlock=True, TagSpecifications=self._marks("vpc", "network")
        )
        return made["Vpc"]["VpcId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _tables(self, vpc: str, kind: str = "routes") -> list[str]:
        filters = [*self._ours(kind), {"Name": "vpc-id", "Values": [vpc]}]
        return [table["RouteTableId"] for table in self._ec2.describe_route_tables(Filters=filters)["RouteTables"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_table(self, vpc: str, kind: str = "routes") -> str:
        made = self._ec2.create_route_table(VpcId=vpc, TagSpecifications=self._marks("route-table", kind))
        return made["RouteTable"]["RouteTableId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _zones(self) -> list[str]:
        with translated("ec2:DescribeAvailabilityZones"):
            ordinary = [
                {"Name": "zone-type", "Values": ["availability-zone"]},
                {"Name": "state", "Values": ["available"]},
            ]
            found = self._ec2.describe_availability_zones(Filters=ordinary)["AvailabilityZones"]  # pyright: ignore[reportArgumentType]
        return sorted(zone["ZoneName"] for zone in found)[:MOST_ZONES]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _subnets(self, zone: str, kind: str = "subnet") -> list[str]:
        filters = [*self._ours(kind), {"Name": "availability-zone", "Values": [zone]}]
        return [subnet["SubnetId"] for subnet in self._ec2.describe_subnets(Filters=filters)["Subnets"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_subnet(self, vpc: str, number: int, zone: str, kind: str = "subnet") -> str:
        """Each zone its own slice of the network's addresses: 4,091 of IPv4, all it wants of IPv6."""
        made = self._ec2.create_subnet(
            VpcId=vpc, AvailabilityZone=zone, CidrBlock=slice_of(number), **self._ipv6_slice(vpc, number),
            TagSpecifications=self._marks("subnet", kind),
        )  # fmt: skip
        subnet = made["Subnet"]["SubnetId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        if kind == "subnet" and self._way is WayKind.IPV6:
            self._ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
        return subnet

    def _ipv6_slice(self, vpc: str, number: int) -> dict[str, str]:
        held = self._ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0].get("Ipv6CidrBlockAssociationSet", [])
        if not held:
            return {}
        start = held[0]["Ipv6CidrBlock"].split("::/")[0]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        groups = start.split(":")
        last = int(groups[3], 16) if len(groups) > 3 else 0
        return {"Ipv6CidrBlock": f"{':'.join([*(groups + ['0', '0'])[:3], f'{last + number:x}'])}::/64"}

    def _associate(self, table: str, subnet: str) -> None:
        with translated("ec2:AssociateRouteTable"):
            filters: list[Any] = [{"Name": "association.subnet-id", "Values": [subnet]}]
            held = self._ec2.describe_route_tables(Filters=filters)["RouteTables"]
            if not any(one.get("RouteTableId") == table for one in held):
                self._ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)

    def _groups(self, vpc: str) -> list[str]:
        filters = [*self._ours("machines"), {"Name": "vpc-id", "Values": [vpc]}]
        return [group["GroupId"] for group in self._ec2.describe_security_groups(Filters=filters)["SecurityGroups"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_group(self, vpc: str) -> str:
        """Everything may leave (EC2's default, for IPv6 too), nothing may come in."""
        made = self._ec2.create_security_group(
            GroupName="accelctl-machines", Description="accelctl: outwards only", VpcId=vpc,
            TagSpecifications=self._marks("security-group", "machines"),
        )  # fmt: skip
        return made["GroupId"]

    def _endpoints(self, vpc: str) -> list[str]:
        filters = [*self._ours("store-endpoint"), {"Name": "vpc-id", "Values": [vpc]}]
        found = self._ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        return [endpoint["VpcEndpointId"] for endpoint in found if endpoint.get("State") not in ("deleted", "deleting")]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_endpoint(self, vpc: str, table: str) -> str:
        made = self._ec2.create_vpc_endpoint(
            VpcEndpointType="Gateway", VpcId=vpc, ServiceName=f"com.amazonaws.{self._region}.s3", RouteTableIds=[table],
            TagSpecifications=self._marks("vpc-endpoint", "store-endpoint"),
        )  # fmt: skip
        return made["VpcEndpoint"]["VpcEndpointId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _egress(self) -> list[str]:
        found = self._ec2.describe_egress_only_internet_gateways(Filters=self._ours("egress"))[
            "EgressOnlyInternetGateways"
        ]
        return [gateway["EgressOnlyInternetGatewayId"] for gateway in found]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_egress(self, vpc: str) -> str:
        made = self._ec2.create_egress_only_internet_gateway(
            VpcId=vpc, TagSpecifications=self._marks("egress-only-internet-gateway", "egress")
        )
        return made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _internet(self) -> list[str]:
        found = self._ec2.describe_internet_gateways(Filters=self._ours("internet"))["InternetGateways"]
        return [gateway["InternetGatewayId"] for gateway in found]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_internet(self, vpc: str) -> str:
        made = self._ec2.create_internet_gateway(TagSpecifications=self._marks("internet-gateway", "internet"))
        gateway = made["InternetGateway"]["InternetGatewayId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        self._ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return gateway

    def _addresses(self) -> list[str]:
        return [a["AllocationId"] for a in self._ec2.describe_addresses(Filters=self._ours("nat-address"))["Addresses"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_address(self) -> str:
        return self._ec2.allocate_address(Domain="vpc", TagSpecifications=self._marks("elastic-ip", "nat-address"))[
            "AllocationId"
        ]

    def _nats(self) -> list[str]:
        found = self._ec2.describe_nat_gateways(Filters=self._ours("nat"))["NatGateways"]
        return [nat["NatGatewayId"] for nat in found if nat.get("State") in ("pending", "available")]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _make_nat(self, subnet: str, address: str) -> str:
        made = self._ec2.create_nat_gateway(
            SubnetId=subnet, AllocationId=address, TagSpecifications=self._marks("natgateway", "nat")
        )
        return made["NatGateway"]["NatGatewayId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _route(self, table: str, **route: str) -> None:
        """Idempotent: the same route again is no change."""
        from botocore.exceptions import ClientError

        with translated("ec2:CreateRoute"):
            try:
                self._ec2.create_route(RouteTableId=table, **route)  # pyright: ignore[reportArgumentType]
            except ClientError as error:
                if code_of(error) != "RouteAlreadyExists":
                    raise


def slice_of(number: int) -> str:
    """The number-th /20 of the network."""
    if number > MOST_ZONES - 1:
        return "10.117.255.0/28"
    if number == MOST_ZONES - 1:
        raise CloudError("the region has more zones than the network has slices.", hint="name zones with --zone.")
    return f"10.117.{number * 16}.0/20"
