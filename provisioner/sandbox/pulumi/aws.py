"""python -m provisioner.sandbox.pulumi.aws: the executable behind pulumi-resource-aws."""

import os
from typing import Any

import boto3

from provisioner.sandbox.pulumi import (
    autoscaling,
    buckets,
    capacity,
    ec2,
    functions,
    iam,
    invokes,
    lookups,
    routes,
    scheduler,
    watching,
)
from provisioner.sandbox.pulumi.kinds import Inputs, Kind
from provisioner.sandbox.pulumi.provider import Provider
from provisioner.sandbox.pulumi.serve import serve

KINDS: dict[str, Kind] = {
    token: kind
    for module in (buckets, ec2, capacity, routes, iam, scheduler, autoscaling, functions, watching)
    for token, kind in module.KINDS.items()
}


def connect(service: str, config: Inputs) -> Any:
    return boto3.client(service, region_name=config.get("region") or os.environ.get("AWS_REGION", "us-east-1"))


if __name__ == "__main__":
    serve(Provider("aws", KINDS, {**invokes.FUNCTIONS, **lookups.FUNCTIONS, **capacity.FUNCTIONS}, connect))
