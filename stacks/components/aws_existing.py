"""What `accelctl setup`, or another stack, has made of the things that jobs need once: ids, by label and by name."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.foundation import (
    EVERYTHING_IPV6,
    GROUP,
    NETWORK,
    OF_NETWORK,
    ROUTES,
    SUBNET,
    boundary_arn,
    endpoint_service,
)
from stacks.components.adoption import there


def first(ask: Callable[[], Any]) -> str | None:
    """Of several the first by name, as setup has it."""
    found = there(ask)
    return min(found.ids, default=None) if found else None


def home(bucket: str) -> str | None:
    """The region of the account's bucket of that name; None where there is none."""
    found = {one.name: one.bucket_region for one in aws.s3.get_buckets(prefix=bucket).buckets}
    return found.get(bucket)


def boundary(account: str) -> str | None:
    """Raises RunError where it is another stack's."""
    arn = boundary_arn(account)
    found = there(lambda: aws.iam.get_policy(arn=arn))
    if found:
        refuse_anothers(
            "boundary", arn, found.tags, hint="'pulumi config set parts network' makes another region's network alone."
        )
    return arn if found else None


def refuse_second(function: str) -> None:
    """Raises RunError where another stack has the function of that name in this region."""
    found = there(lambda: aws.lambda_.get_function(function_name=function))
    if found:
        refuse_anothers("function", function, found.tags, hint="one reaper does for an account: use that one.")


class Network:
    """The region's network as it is there: an id of each part, None for what is missing."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.vpc = first(lambda: aws.ec2.get_vpcs(tags=labels.ours(kind=NETWORK)))
        self.subnets: dict[str, str] = {}
        """By zone."""
        self.table: str | None = None
        self.group: str | None = None
        self.endpoint: str | None = None
        self.egress: str | None = None
        self.route: str | None = None
        self.joined: set[str] = set()
        """Subnets that the table serves."""
        if self.vpc:
            refuse_anothers("vpc", self.vpc, aws.ec2.get_vpc(id=self.vpc).tags)
            self._look(self.vpc)

    def _look(self, vpc: str) -> None:
        def mine(kind: str) -> dict[str, str]:
            return labels.ours(kind=kind) | {OF_NETWORK: vpc}

        self.table = first(lambda: aws.ec2.get_route_tables(tags=mine(ROUTES)))
        self.group = first(lambda: aws.ec2.get_security_groups(tags=mine(GROUP)))
        for subnet in aws.ec2.get_subnets(tags=mine(SUBNET)).ids:
            self.subnets[aws.ec2.get_subnet(id=subnet).availability_zone] = subnet
        service = endpoint_service(self.region)
        endpoint = there(lambda: aws.ec2.get_vpc_endpoint(vpc_id=vpc, service_name=service))
        self.endpoint = endpoint.id if endpoint else None
        if self.table:
            self._follow(self.table)

    def _follow(self, table: str) -> None:
        """Where the table leads, and whom it serves."""
        found = aws.ec2.get_route_table(route_table_id=table)
        self.joined = {one.subnet_id for one in found.associations}
        self.egress = next((one.egress_only_gateway_id for one in found.routes if one.egress_only_gateway_id), None)
        self.route = f"{table}_{EVERYTHING_IPV6}" if self.egress else None

    def association(self, zone: str) -> str | None:
        subnet = self.subnets.get(zone, "")
        return f"{subnet}/{self.table}" if subnet in self.joined else None


def refuse_anothers(what: str, named: str, tags: Mapping[str, str] | None, *, hint: str = "") -> None:
    """Raises RunError for what carries another stack's label: two stacks never own one thing."""
    owner = (tags or {}).get(labels.STACK, pulumi.get_stack())
    if owner != pulumi.get_stack():
        raise pulumi.RunError(f"the {what} {named} belongs to the stack '{owner}'.\nhint: {hint or 'use it as it is.'}")
