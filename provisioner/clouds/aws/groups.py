"""Members of Auto Scaling groups go with their place in the group: else the group would replace them.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
"""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.instances import Instances
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import Refusals, everybodys
from provisioner.errors import AccelctlError, CloudError, HeldByOwner, InstanceNotFound


def scale_in(sessions: Sessions, instances: Instances, region: str, ids: Sequence[str]) -> Refusals:
    """One call each: the service takes no more. Its group's minimum is never lowered."""
    client = sessions.client("autoscaling", region)
    heard: dict[str, AccelctlError | None] = {}
    for one in ids:
        heard[one] = everybodys(heard) or refusal(client, instances, region, one)
    return {one: why for one, why in heard.items() if why is not None}


def refusal(client: Any, instances: Instances, region: str, machine: str) -> AccelctlError | None:
    try:
        with translated("autoscaling:TerminateInstanceInAutoScalingGroup"):
            return asked(client, instances, region, machine)
    except AccelctlError as refused:
        return refused


def asked(client: Any, instances: Instances, region: str, machine: str) -> AccelctlError | None:
    """Every refusal of this call is a ValidationError; only its words tell which."""
    try:
        client.terminate_instance_in_auto_scaling_group(InstanceId=machine, ShouldDecrementDesiredCapacity=True)
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message", "")
        if "min size" in said:
            return HeldByOwner(f"the minimum size of {machine}'s group keeps it: lower that, or destroy its stack.")
        if "not found" in said.lower():
            return ungrouped(instances, region, machine)
        raise
    return None


def ungrouped(instances: Instances, region: str, machine: str) -> AccelctlError:
    """The same is said of one that is gone, and of one that somebody took out of its group and that costs on."""
    if instances.get(machine, region).alive:
        return CloudError(f"{machine} is labelled as its group's, and the group does not have it.")
    return InstanceNotFound(f"{machine} is gone.")
