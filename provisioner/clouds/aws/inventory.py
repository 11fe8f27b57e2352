"""Every kind of thing that accelctl makes on AWS: how it is marked, found and removed. ONE table; docs/marks.md is made
from it, teardown and the search for leftovers run on it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from provisioner.catalog import labels
from provisioner.catalog.labels import JOB
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.identity import BOUNDARY, JOBS, Identities
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.aws.store import BucketStore
from provisioner.clouds.base import Leftover
from provisioner.errors import CloudError, ConfigError, InstanceNotFound

Ec2 = Any
"""A client of EC2; the table below is data over its operations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of EC2 thing, marked by labels in its create call."""

    name: str
    order: int
    describe: str
    """The operation that lists it by tag filter."""
    items: str
    """Member of the answer."""
    id: str
    remove: Callable[[Ec2, str], Any]
    job: bool = True
    """Made for a job; the others by setup."""
    gone: Callable[[Any], bool] = lambda _item: False
    filter_name: str = "Filters"
    hourly: Decimal = Decimal(0)


def state_in(*states: str) -> Callable[[Any], bool]:
    def gone(item: Any) -> bool:
        held = item.get("State", item.get("state", ""))
        return (held["Name"] if isinstance(held, dict) else held) in states

    return gone


def is_main(table: Any) -> bool:
    return any(association.get("Main") for association in table.get("Associations", []))


def detach_and_delete(ec2: Ec2, gateway: str) -> None:
    held = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]
    for attachment in held.get("Attachments", []):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=attachment["VpcId"])
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def disassociate_and_delete(ec2: Ec2, table: str) -> None:
    held = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    for association in held.get("Associations", []):
        if not association.get("Main"):
            ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=table)


KINDS = (
    Kind(name="spot-request", order=10, describe="describe_spot_instance_requests", items="SpotInstanceRequests", id="SpotInstanceRequestId",
         remove=lambda ec2, id: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[id]), gone=state_in("closed", "cancelled", "failed", "active")),
    Kind(name="fleet", order=11, describe="describe_fleets", items="Fleets", id="FleetId",
         remove=lambda ec2, id: ec2.delete_fleets(FleetIds=[id], TerminateInstances=True), gone=lambda f: f.get("FleetState", "").startswith("deleted")),
    Kind(name="instance", order=20, describe="describe_instances", items="Reservations", id="InstanceId",
         remove=lambda ec2, id: ec2.terminate_instances(InstanceIds=[id]), gone=state_in("terminated")),
    Kind(name="launch-template", order=30, describe="describe_launch_templates", items="LaunchTemplates", id="LaunchTemplateId",
         remove=lambda ec2, id: ec2.delete_launch_template(LaunchTemplateId=id)),
    Kind(name="network-interface", order=40, describe="describe_network_interfaces", items="NetworkInterfaces", id="NetworkInterfaceId",
         remove=lambda ec2, id: ec2.delete_network_interface(NetworkInterfaceId=id), gone=lambda i: i.get("Status") == "in-use"),
    Kind(name="volume", order=41, describe="describe_volumes", items="Volumes", id="VolumeId",
         remove=lambda ec2, id: ec2.delete_volume(VolumeId=id), gone=state_in("in-use", "deleting", "deleted")),
    Kind(name="nat-gateway", order=50, describe="describe_nat_gateways", items="NatGateways", id="NatGatewayId", filter_name="Filters", job=False,
         remove=lambda ec2, id: ec2.delete_nat_gateway(NatGatewayId=id), gone=state_in("deleted", "failed"), hourly=Decimal("0.045")),
    Kind(name="address", order=51, describe="describe_addresses", items="Addresses", id="AllocationId", job=False,
         remove=lambda ec2, id: ec2.release_address(AllocationId=id), hourly=Decimal("0.005")),
    Kind(name="vpc-endpoint", order=52, describe="describe_vpc_endpoints", items="VpcEndpoints", id="VpcEndpointId", job=False,
         remove=lambda ec2, id: ec2.delete_vpc_endpoints(VpcEndpointIds=[id]), gone=state_in("deleted", "deleting")),
    Kind(name="egress-only-gateway", order=53, describe="describe_egress_only_internet_gateways", items="EgressOnlyInternetGateways",
         id="EgressOnlyInternetGatewayId", job=False, remove=lambda ec2, id: ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=id)),
    Kind(name="internet-gateway", order=54, describe="describe_internet_gateways", items="InternetGateways", id="InternetGatewayId", job=False,
         remove=detach_and_delete),
    Kind(name="security-group", order=60, describe="describe_security_groups", items="SecurityGroups", id="GroupId", job=False,
         remove=lambda ec2, id: ec2.delete_security_group(GroupId=id)),
    Kind(name="subnet", order=61, describe="describe_subnets", items="Subnets", id="SubnetId", job=False,
         remove=lambda ec2, id: ec2.delete_subnet(SubnetId=id)),
    Kind(name="route-table", order=62, describe="describe_route_tables", items="RouteTables", id="RouteTableId", job=False,
         remove=disassociate_and_delete, gone=is_main),
    Kind(name="vpc", order=63, describe="describe_vpcs", items="Vpcs", id="VpcId", job=False, remove=lambda ec2, id: ec2.delete_vpc(VpcId=id)),
)  # fmt: skip
IDENTITY, BOUNDARY_KIND, MARKER, BUCKET = "identity", "boundary", "prepared-region", "bucket"
GONE_CODES = ("NotFound", "NoSuch", "InvalidAllocationID", "NatGatewayNotFound")


class Inventory:
    """Finds and removes what is ours."""

    def __init__(self, sessions: Sessions, store: BucketStore, identities: Identities) -> None:
        self._sessions, self._store, self._identities = sessions, store, identities

    def leftovers(self, *, job: str, regions: Sequence[str], data: bool) -> Iterator[Leftover]:
        for region in regions:
            for kind in KINDS:
                if kind.job or not job:
                    yield from self._of_kind(kind, region, {JOB: job} if job else {})
        yield from self._identities_of(job)
        if not job:
            yield from self._of_account(regions, data=data)

    def _of_kind(self, kind: Kind, region: str, wanted: dict[str, str]) -> Iterator[Leftover]:
        for item in self._items(kind, region, wanted):
            held = tags.read(item.get("Tags"))
            if not kind.gone(item) and labels.STACK not in held:
                yield Leftover(kind=kind.name, id=item[kind.id], region=region, labels=held, order=kind.order,
                               state=state_of(item), price_per_hour=kind.hourly if kind.name != "instance" else None)  # fmt: skip

    def _items(self, kind: Kind, region: str, wanted: dict[str, str]) -> list[Any]:
        """Every page; those that cannot be filtered by the service are filtered here."""
        ec2 = self._sessions.ec2(region)
        asked = {} if kind.name == "fleet" else {kind.filter_name: tags.matching(wanted)}
        with translated(f"ec2:{camel(kind.describe)}"):
            if ec2.can_paginate(kind.describe):
                pages = list(ec2.get_paginator(kind.describe).paginate(**asked))  # pyright: ignore
            else:
                pages = [getattr(ec2, kind.describe)(**asked)]
        items = [item for page in pages for item in page[kind.items]]
        if kind.name == "instance":
            items = [instance for reservation in items for instance in reservation["Instances"]]
        ours = (labels.ours() | wanted).items()
        return [item for item in items if ours <= tags.read(item.get("Tags")).items()]

    def _identities_of(self, job: str) -> Iterator[Leftover]:
        for name in self._identities.names():
            if job in ("", name.removeprefix("accelctl-")):
                yield Leftover(kind=IDENTITY, id=name, region="", labels={}, order=25)

    def _of_account(self, regions: Sequence[str], *, data: bool) -> Iterator[Leftover]:
        found = self._store.find()
        for region in regions if found else ():
            yield Leftover(kind=MARKER, id=region, region=region, labels={}, order=64)
        if self._identities.has_boundary():
            yield Leftover(kind=BOUNDARY_KIND, id=BOUNDARY, region="", labels={}, order=70)
        if data and found:
            yield Leftover(kind=BUCKET, id=self._store.bucket, region=found.region, labels={}, order=90)

    def remove(self, leftover: Leftover) -> None:
        """Re-checks the mark first. Already gone is success."""
        match leftover.kind:
            case "identity":
                self._identities.remove(leftover.id)
            case "boundary":
                self._identities.remove_boundary()
            case "prepared-region":
                self._store.unmark(leftover.region)
            case "bucket":
                self._remove_bucket(leftover)
            case _:
                self._remove_marked(next(kind for kind in KINDS if kind.name == leftover.kind), leftover)

    def _remove_marked(self, kind: Kind, leftover: Leftover) -> None:
        still = {item[kind.id] for item in self._items(kind, leftover.region, {}) if not kind.gone(item)}
        if leftover.id not in still:
            return
        try:
            with translated(f"ec2:remove {kind.name}"):
                kind.remove(self._sessions.ec2(leftover.region), leftover.id)
        except InstanceNotFound:
            return
        except ConfigError as refusal:
            if not any(code in refusal.message for code in GONE_CODES):
                raise CloudError(refusal.message) from refusal

    def _remove_bucket(self, leftover: Leftover) -> None:
        s3 = self._sessions.s3(leftover.region)
        with translated("s3:DeleteBucket"):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=leftover.id):
                keys: list[Any] = [{"Key": held["Key"]} for held in page.get("Contents", [])]  # pyright: ignore[reportTypedDictNotRequiredAccess]
                if keys:
                    s3.delete_objects(Bucket=leftover.id, Delete={"Objects": keys})
            s3.delete_bucket(Bucket=leftover.id)


def state_of(item: Any) -> str:
    held = item.get("State", item.get("Status", ""))
    return str(held.get("Name", "")) if isinstance(held, dict) else str(held)


def camel(operation: str) -> str:
    return "".join(word.title() for word in operation.split("_"))


def marks_table() -> str:
    """docs/marks.md, from the table above."""
    rows = ["| kind | made by | marked by | found by | order of removal |", "| --- | --- | --- | --- | --- |"]
    for kind in KINDS:
        made = "a job" if kind.job else "`setup`"
        found = "listing all, then label" if kind.name == "fleet" else f"`{camel(kind.describe)}` by label"
        rows.append(f"| {kind.name} | {made} | labels in the create call | {found} | {kind.order} |")
    rows.append(
        f"| {IDENTITY} (role, profile) | a job | path `{JOBS}`, labels in the create call | `ListRoles`, `ListInstanceProfiles` by path | 25 |"
    )
    rows.append(f"| {MARKER} | `setup` | key `setup/aws/` in the job store | listing the bucket | 64 |")
    rows.append(f"| {BOUNDARY_KIND} | `setup` | name `{BOUNDARY}` | by name | 70 |")
    rows.append(
        f"| {BUCKET} | `setup` | name `accelctl-<account>`, labels | by name; removed with `--with-data` only | 90 |"
    )
    return "\n".join(rows)
