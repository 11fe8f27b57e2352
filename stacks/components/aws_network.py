"""A private network: ssh through EC2's own door, the store over a free gateway endpoint, machines among themselves."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

CIDR = "10.77.0.0/16"
"""Each zone has a sixteenth of it, by its letter: 4,091 addresses."""

ONE_AT_A_TIME = pulumi.ResourceOptions(delete_before_replace=True)
"""A network has one endpoint."""


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
        for zone in zones:
            block = f"10.77.{16 * (ord(zone[-1]) - ord('a'))}.0/20"
            subnet = aws.ec2.Subnet(
                f"{name}-{zone}", vpc_id=vpc.id, cidr_block=block, availability_zone=zone, tags=labels, opts=mine
            )
            aws.ec2.RouteTableAssociation(f"{name}-{zone}", route_table_id=table.id, subnet_id=subnet.id, opts=mine)
            self.subnet_ids.append(subnet.id)
        aws.ec2.VpcEndpoint(
            name, vpc_id=vpc.id, service_name=f"com.amazonaws.{region}.s3", vpc_endpoint_type="Gateway",
            route_table_ids=[table.id], tags=labels, opts=mine,
        )  # fmt: skip
        door = self._door(name, vpc.id, self.subnet_ids[0], labels, mine)
        group = aws.ec2.SecurityGroup(
            name, vpc_id=vpc.id, description="accelctl: machines among themselves, and out to the store",
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(protocol="-1", from_port=0, to_port=0, self=True),
                aws.ec2.SecurityGroupIngressArgs(protocol="tcp", from_port=22, to_port=22, security_groups=[door]),
            ],
            egress=[
                aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, self=True),
                aws.ec2.SecurityGroupEgressArgs(protocol="tcp", from_port=443, to_port=443, cidr_blocks=["0.0.0.0/0"]),
            ],
            tags=labels, opts=mine,
        )  # fmt: skip
        self.group_id = group.id
        self.register_outputs({"subnet_ids": self.subnet_ids, "group_id": group.id})

    def _door(
        self, name: str, vpc: pulumi.Input[str], subnet: pulumi.Input[str], labels: dict[str, str],
        mine: pulumi.ResourceOptions,
    ) -> pulumi.Output[str]:  # fmt: skip
        """The security group from which EC2's endpoint reaches ssh; who may use it is a matter of IAM."""
        group = aws.ec2.SecurityGroup(
            f"{name}-connect", vpc_id=vpc, description="accelctl: ssh from EC2 Instance Connect", ingress=[],
            egress=[aws.ec2.SecurityGroupEgressArgs(protocol="tcp", from_port=22, to_port=22, cidr_blocks=[CIDR])],
            tags=labels, opts=mine,
        )  # fmt: skip
        aws.ec2transitgateway.InstanceConnectEndpoint(
            name, subnet_id=subnet, security_group_ids=[group.id], preserve_client_ip=False, tags=labels,
            opts=pulumi.ResourceOptions.merge(mine, ONE_AT_A_TIME),
        )  # fmt: skip
        return group.id


def connect(instance: str) -> str:
    """The command for a shell on a machine; its images are Ubuntu's. Needs `ec2-instance-connect:OpenTunnel`."""
    return f"aws ec2-instance-connect ssh --connection-type eice --os-user ubuntu --instance-id {instance}"
