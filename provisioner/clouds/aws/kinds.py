"""Every kind of EC2 thing that accelctl makes: how it is found, when it goes, and how. ONE table, data over operations.

Each is labelled in its create call and listed by label. docs/marks.md is made from it; teardown and the search for
leftovers run on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from provisioner.catalog import labels
from provisioner.catalog.tariffs import way
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.hourly import of_machine, of_volume
from provisioner.clouds.aws.listings import fleets, machines_of, state_of, with_use
from provisioner.clouds.aws.sessions import rows
from provisioner.domain.offerings import WayKind

Ec2 = Any
"""A client of EC2; its answers are read as plain dictionaries."""
SETTLES = {"Delay": 5, "MaxAttempts": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind. `describe` lists it, in the member `items` of the answer; `remove` takes its id as `parameter`."""

    name: str
    order: int
    """Place in a teardown."""
    describe: str
    items: str
    id: str
    remove: str
    parameter: str = ""
    """The id's own name where empty; one that ends in s takes a list."""
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    job: bool = False
    """Made for a job; the others by setup."""
    made_by: str = ""
    """Where that is neither."""
    listed: Callable[[Ec2, str], list[Any]] | None = None
    """Of a job or of all, where the listing knows no labels; `found` says how."""
    found: str = ""
    read: Callable[[Ec2, list[Any]], list[Any]] | None = None
    """What the rows of the listing become, where they are not the things themselves."""
    gone: frozenset[str] = frozenset()
    """States in which it is nobody's concern any more: over, or bound to a machine and going with it."""
    hourly: Decimal = Decimal(0)
    priced: Callable[[dict[str, Any], str], Decimal | None] | None = None
    """By the hour in a region, where that differs from one to another; None is unknown."""
    before: Callable[[Ec2, str], None] | None = None
    after: Callable[[Ec2, str], None] | None = None

    def all(self, ec2: Ec2, job: str = "") -> list[Any]:
        """Ours, or the job's, every page; without those that are nobody's concern."""
        wanted = tags.matching({labels.JOB: job} if job else {})
        found = self.listed(ec2, job) if self.listed else rows(ec2, self.describe, self.items, Filters=wanted)
        found = self.read(ec2, found) if self.read else found
        return [one for one in found if state_of(one) not in self.gone or comes_back(one)]

    def price(self, item: dict[str, Any], region: str) -> Decimal | None:
        """At most, by the hour."""
        return self.priced(item, region) if self.priced else self.hourly

    def end(self, ec2: Ec2, id: str) -> None:
        """Removes one."""
        if self.before:
            self.before(ec2, id)
        parameter = self.parameter or self.id
        getattr(ec2, self.remove)(**{parameter: [id] if parameter.endswith("s") else id}, **self.more)
        if self.after:
            self.after(ec2, id)


def comes_back(item: dict[str, Any]) -> bool:
    """A persistent request that has its machine would launch another one in its place: it goes before the machine."""
    return item.get("Type") == "persistent" and state_of(item) == "active"


def detach(ec2: Ec2, gateway: str) -> None:
    """An attached internet gateway cannot be deleted."""
    for attachment in ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0][
        "Attachments"
    ]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=attachment["VpcId"])


def disassociate(ec2: Ec2, table: str) -> None:
    """A route table that subnets use cannot be deleted."""
    for association in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"]:
        if not association.get("Main"):
            ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


def await_nat_gone(ec2: Ec2, gateway: str) -> None:
    """Its address and its subnet can go only after it."""
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[gateway], WaiterConfig=SETTLES)


KINDS = (
    Kind(
        name="spot-request", order=10, describe="describe_spot_instance_requests", items="SpotInstanceRequests",
        id="SpotInstanceRequestId", remove="cancel_spot_instance_requests", parameter="SpotInstanceRequestIds",
        gone=frozenset({"closed", "cancelled", "failed", "active"}), job=True,
    ),
    Kind(
        name="fleet", order=11, describe="describe_fleets", items="Fleets", id="FleetId", remove="delete_fleets",
        parameter="FleetIds", more={"TerminateInstances": True}, job=True,
        gone=frozenset({"deleted", "deleted_running", "deleted_terminating"}), listed=fleets,
        found="`DescribeTags` by label, then `DescribeFleets`",
    ),
    Kind(
        name="instance", order=20, describe="describe_instances", items="Reservations", id="InstanceId",
        remove="terminate_instances", parameter="InstanceIds", gone=frozenset({"terminated"}), job=True,
        read=machines_of, priced=of_machine,
    ),
    Kind(
        name="launch-template", order=30, describe="describe_launch_templates", items="LaunchTemplates",
        id="LaunchTemplateId", remove="delete_launch_template", job=True,
    ),
    Kind(
        name="placement-group", order=35, describe="describe_placement_groups", items="PlacementGroups", id="GroupName",
        remove="delete_placement_group", gone=frozenset({"deleting", "deleted"}), made_by="a stack",
        read=with_use,
    ),
    Kind(
        name="network-interface", order=40, describe="describe_network_interfaces", items="NetworkInterfaces",
        id="NetworkInterfaceId", remove="delete_network_interface", gone=frozenset({"in-use"}), job=True,
    ),
    Kind(
        name="volume", order=41, describe="describe_volumes", items="Volumes", id="VolumeId", remove="delete_volume",
        gone=frozenset({"in-use", "deleting", "deleted"}), job=True, priced=of_volume,
    ),
    Kind(
        name="nat-gateway", order=50, describe="describe_nat_gateways", items="NatGateways", id="NatGatewayId",
        remove="delete_nat_gateway", gone=frozenset({"deleted", "failed"}), after=await_nat_gone,
        hourly=way(WayKind.NAT, reaches_internet=True).price_per_hour,
    ),
    Kind(
        name="address", order=51, describe="describe_addresses", items="Addresses", id="AllocationId",
        remove="release_address", hourly=way(WayKind.PUBLIC, reaches_internet=True).price_per_hour,
    ),
    Kind(
        name="vpc-endpoint", order=52, describe="describe_vpc_endpoints", items="VpcEndpoints", id="VpcEndpointId",
        remove="delete_vpc_endpoints", parameter="VpcEndpointIds", gone=frozenset({"deleting", "deleted"}),
    ),
    Kind(
        name="egress-only-gateway", order=53, describe="describe_egress_only_internet_gateways",
        items="EgressOnlyInternetGateways", id="EgressOnlyInternetGatewayId",
        remove="delete_egress_only_internet_gateway",
    ),
    Kind(
        name="internet-gateway", order=54, describe="describe_internet_gateways", items="InternetGateways",
        id="InternetGatewayId", remove="delete_internet_gateway", before=detach,
    ),
    Kind(
        name="security-group", order=60, describe="describe_security_groups", items="SecurityGroups", id="GroupId",
        remove="delete_security_group",
    ),
    Kind(name="subnet", order=61, describe="describe_subnets", items="Subnets", id="SubnetId", remove="delete_subnet"),
    Kind(
        name="route-table", order=62, describe="describe_route_tables", items="RouteTables", id="RouteTableId",
        remove="delete_route_table", before=disassociate,
    ),
    Kind(name="vpc", order=63, describe="describe_vpcs", items="Vpcs", id="VpcId", remove="delete_vpc"),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}
