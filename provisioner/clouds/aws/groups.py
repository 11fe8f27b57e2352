"""Members of Auto Scaling groups go with their place in the group: else the group would replace them.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
"""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import Refusals
from provisioner.errors import AccelctlError, HeldByOwner, InstanceNotFound


def scale_in(sessions: Sessions, region: str, ids: Sequence[str]) -> Refusals:
    """One call each: the service takes no more. Its group's minimum is never lowered."""
    found = {one: refusal(sessions, region, one) for one in ids}
    return {one: why for one, why in found.items() if why is not None}


def refusal(sessions: Sessions, region: str, machine: str) -> AccelctlError | None:
    client = sessions.client("autoscaling", region)
    try:
        with translated("autoscaling:TerminateInstanceInAutoScalingGroup"):
            try:
                client.terminate_instance_in_auto_scaling_group(InstanceId=machine, ShouldDecrementDesiredCapacity=True)
            except ClientError as error:
                raise meant(error, machine) or error from error
    except AccelctlError as refused:
        return refused
    return None


def meant(error: ClientError, machine: str) -> AccelctlError | None:
    """Every refusal of this call is a ValidationError; only its words tell which."""
    said = error.response.get("Error", {}).get("Message", "")
    if "min size" in said:
        return HeldByOwner(f"the minimum size of {machine}'s group keeps it: lower that, or destroy the group's stack.")
    if "not found" in said.lower():
        return InstanceNotFound(f"{machine} is in no group any more.")
    return None
