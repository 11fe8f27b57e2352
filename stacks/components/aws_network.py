"""A private network: no way in, the store over a free gateway endpoint, machines among themselves."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

CIDR = "10.77.0.0/16"
"""Each zone has a sixteenth of it: 4,091 addresses."""


class PrivateNetwork(pulumi.ComponentResource):
    """`subnet_ids`, one for each zone, and `group_id` are what machines need.

    Every protocol is open within the group, as EFA demands.
    """

    def __init__(
        self, name: str, *, zones: Sequence[str], region: str, labels: dict[str, str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("accelctl:aws:PrivateNetwork", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(name, cidr_block=CIDR, tags=labels, opts=mine)
        table = aws.ec2.RouteTable(name, vpc_id=vpc.id, tags=labels, opts=mine)
        self.subnet_ids: list[pulumi.Output[str]] = []
        for number, zone in enumerate(zones):
            block = f"10.77.{16 * number}.0/20"
            subnet = aws.ec2.Subnet(
                f"{name}-{zone}", vpc_id=vpc.id, cidr_block=block, availability_zone=zone, tags=labels, opts=mine
            )
            aws.ec2.RouteTableAssociation(f"{name}-{zone}", route_table_id=table.id, subnet_id=subnet.id, opts=mine)
            self.subnet_ids.append(subnet.id)
        aws.ec2.VpcEndpoint(
            name, vpc_id=vpc.id, service_name=f"com.amazonaws.{region}.s3", vpc_endpoint_type="Gateway",
            route_table_ids=[table.id], tags=labels, opts=mine,
        )  # fmt: skip
        group = aws.ec2.SecurityGroup(
            name, vpc_id=vpc.id, description="accelctl: machines among themselves, and out to the store",
            ingress=[aws.ec2.SecurityGroupIngressArgs(protocol="-1", from_port=0, to_port=0, self=True)],
            egress=[
                aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, self=True),
                aws.ec2.SecurityGroupEgressArgs(protocol="tcp", from_port=443, to_port=443, cidr_blocks=["0.0.0.0/0"]),
            ],
            tags=labels, opts=mine,
        )  # fmt: skip
        self.group_id = group.id
        self.register_outputs({"subnet_ids": self.subnet_ids, "group_id": group.id})
