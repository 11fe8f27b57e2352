"""Facts of the schedules that end machines where no reaper does: one for each machine, in the machine's own stack."""

from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at, called, truth
from provisioner.rules.facts import UNKNOWN, Facts, Part


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


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure-native:devtestlab:GlobalSchedule": shutdown,
    "azure:devtest/globalVMShutdownSchedule:GlobalVMShutdownSchedule": older_shutdown,
    "gcp:cloudscheduler/job:Job": job,
}
"""By the type's token."""
