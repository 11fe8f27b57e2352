"""A region's network as `accelctl setup` makes it: private subnets in every zone, and the ways to the store."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

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
from stacks.components import aws_existing as existing
from stacks.components.adoption import Adoption


class BaseNetwork:
    """`vpc_id`, `subnet_ids` by zone and `group_id`; `made` is what has to be there before a machine is."""

    def __init__(
        self, name: str, there: existing.Network, *, way: str, marks: dict[str, str], adoption: Adoption
    ) -> None:
        self._name, self._there, self._marks, self._adoption = name, there, marks, adoption
        vpc = aws.ec2.Vpc(
            name, cidr_block=network_block(), assign_generated_ipv6_cidr_block=True,
            tags=marks | {labels.KIND: NETWORK}, opts=adoption.options("vpc", there.vpc),
        )  # fmt: skip
        self.vpc_id, self._block = vpc.id, vpc.ipv6_cidr_block
        table = aws.ec2.RouteTable(
            name, vpc_id=vpc.id, tags=self._tags(ROUTES), opts=adoption.options("route table", self._there.table)
        )
        self.subnet_ids = {zone: self._subnet(zone, table) for zone in zones()}
        self.made: list[pulumi.Resource] = [self._endpoint(table), *(self._way_out(table) if way == "ipv6" else [])]
        self.group_id = self._group()

    def _tags(self, kind: str) -> Mapping[str, pulumi.Input[str]]:
        return self._marks | {labels.KIND: kind, OF_NETWORK: self.vpc_id}

    def _subnet(self, zone: str, table: aws.ec2.RouteTable) -> pulumi.Output[str]:
        number, name = slice_of(zone), f"{self._name}-{zone}"
        made = aws.ec2.Subnet(
            name, vpc_id=self.vpc_id, cidr_block=ipv4_slice(number), availability_zone=zone,
            ipv6_cidr_block=self._block.apply(lambda block: ipv6_slice(block, number)),
            tags=self._tags(SUBNET), opts=self._adoption.options("subnet", self._there.subnets.get(zone)),
        )  # fmt: skip
        aws.ec2.RouteTableAssociation(
            name, route_table_id=table.id, subnet_id=made.id,
            opts=self._adoption.options("route table of", self._there.association(zone), ignore=()),
        )  # fmt: skip
        return made.id

    def _endpoint(self, table: aws.ec2.RouteTable) -> pulumi.Resource:
        return aws.ec2.VpcEndpoint(
            self._name, vpc_id=self.vpc_id, service_name=endpoint_service(self._there.region),
            vpc_endpoint_type="Gateway", route_table_ids=[table.id], tags=self._tags(ENDPOINT),
            opts=self._adoption.options("vpc endpoint", self._there.endpoint),
        )  # fmt: skip

    def _way_out(self, table: aws.ec2.RouteTable) -> list[pulumi.Resource]:
        """Out by IPv6, and never in."""
        gateway = aws.ec2.EgressOnlyInternetGateway(
            self._name, vpc_id=self.vpc_id, tags=self._tags(EGRESS),
            opts=self._adoption.options("egress-only gateway", self._there.egress),
        )  # fmt: skip
        route = aws.ec2.Route(
            self._name, route_table_id=table.id, destination_ipv6_cidr_block=EVERYTHING_IPV6,
            egress_only_gateway_id=gateway.id,
            opts=self._adoption.options("route", self._there.route, ignore=()),
        )  # fmt: skip
        return [gateway, route]

    def _group(self) -> pulumi.Output[str]:
        """Everything may leave, nothing may come in: EC2's default."""
        out = aws.ec2.SecurityGroupEgressArgs(
            protocol="-1", from_port=0, to_port=0, cidr_blocks=[EVERYTHING], ipv6_cidr_blocks=[EVERYTHING_IPV6]
        )
        made = aws.ec2.SecurityGroup(
            self._name, name=GROUP_NAME, description=GROUP_SAYS, vpc_id=self.vpc_id, ingress=[], egress=[out],
            tags=self._tags(GROUP), opts=self._adoption.options("security group", self._there.group),
        )  # fmt: skip
        self.made.append(made)
        return made.id


def zones() -> list[str]:
    """Ordinary ones: local and wavelength zones are not what accelerators are sold in."""
    wanted = [aws.GetAvailabilityZonesFilterArgs(name="zone-type", values=["availability-zone"])]
    return sorted(aws.get_availability_zones(state="available", filters=wanted).names)
