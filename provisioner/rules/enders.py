"""Facts of the schedules that end machines where no reaper does: one for each machine, in the machine's own stack."""

import json
from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at, called, listed, truth
from provisioner.rules.facts import UNKNOWN, Facts, Part

RESIZE, TERMINATE = ":autoscaling:updateAutoScalingGroup", ":ec2:terminateInstances"
"""What EventBridge Scheduler calls: the end of its address."""


def ender(subject: str, cloud: str, ends: Any, *, works: bool) -> Facts:
    """Of the machine with that id or address. One that is off, or does something else, ends nothing."""
    part = Part.ENDER if works else Part.MACHINE
    return Facts(subject=subject, cloud=cloud, instance_types=(), part=part, machine=called(ends))


def shutdown(subject: str, inputs: Inputs) -> Facts:
    """Azure's own, of one machine."""
    task, status = at(inputs, "taskType"), at(inputs, "status", default="Enabled")
    works = task in ("ComputeVmShutdownTask", UNKNOWN) and status in ("Enabled", UNKNOWN)
    return ender(subject, "azure", at(inputs, "targetResourceId"), works=works)


def older_shutdown(subject: str, inputs: Inputs) -> Facts:
    """The same, of the older provider."""
    works = at(inputs, "enabled", default=True) in (True, UNKNOWN)
    return ender(subject, "azure", at(inputs, "virtualMachineId"), works=works)


def job(subject: str, inputs: Inputs) -> Facts:
    """Cloud Scheduler's, where it deletes a TPU node."""
    method, address = at(inputs, "httpTarget", "httpMethod"), at(inputs, "httpTarget", "uri", default="")
    deletes = method == "DELETE" and (address is UNKNOWN or "tpu.googleapis.com" in str(address))
    return ender(subject, "gcp", address, works=deletes and truth(at(inputs, "paused")) is not True)


def of_group(subject: str, inputs: Inputs) -> Facts:
    """What sets a scaling group to other sizes at set times: down to nothing, or up. -1 leaves one as it is."""
    least, most, wanted = (at(inputs, size) for size in ("minSize", "maxSize", "desiredCapacity"))
    rises = [one for one in (least, wanted) if one is not UNKNOWN and one is not None and one > 0]
    down = not rises and (UNKNOWN in (least, most, wanted) or 0 in (most, wanted))
    return Facts(
        subject=subject, cloud="aws", instance_types=(), machine=called(at(inputs, "autoscalingGroupName")),
        part=Part.ENDER if down else Part.OPENER if rises else Part.MACHINE,
        least=least if least in rises else 0, group=True,
    )  # fmt: skip


def scheduled(subject: str, inputs: Inputs) -> Facts | None:
    """EventBridge Scheduler's, where it closes a scaling group or ends machines; None for any other."""
    target, state = str(at(inputs, "target", "arn", default="")), at(inputs, "state", default="ENABLED")
    told = at(inputs, "target", "input", default="{}")
    if not target.endswith((RESIZE, TERMINATE)) or state not in ("ENABLED", UNKNOWN):
        return None
    try:
        arguments: Any = UNKNOWN if told is UNKNOWN else json.loads(told)
    except ValueError:
        return None
    return resized(subject, arguments) if target.endswith(RESIZE) else terminated(subject, arguments)


def terminated(subject: str, arguments: Any) -> Facts:
    found = listed(at(arguments, "InstanceIds"))
    ids = (UNKNOWN,) if found is UNKNOWN else tuple(called(one) for one in found)
    return Facts(subject=subject, cloud="aws", instance_types=(), part=Part.ENDER, ids=ids)


def resized(subject: str, sizes: Any) -> Facts:
    names = {"autoscalingGroupName": "AutoScalingGroupName", "minSize": "MinSize", "maxSize": "MaxSize",
             "desiredCapacity": "DesiredCapacity"}  # fmt: skip
    return of_group(subject, {name: at(sizes, written) for name, written in names.items()})


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure-native:devtestlab:GlobalSchedule": shutdown,
    "azure:devtest/globalVMShutdownSchedule:GlobalVMShutdownSchedule": older_shutdown,
    "gcp:cloudscheduler/job:Job": job,
    "aws:autoscaling/schedule:Schedule": of_group,
}
"""By the type's token."""
