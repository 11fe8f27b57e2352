"""Facts of the schedules that end machines where no reaper does: one for each machine, in the machine's own stack."""

import json
from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at, called, given, listed, moment, truth
from provisioner.rules.facts import UNKNOWN, Facts, Part
from provisioner.rules.timetables import Timetable

RESIZE, TERMINATE = ":autoscaling:updateAutoScalingGroup", ":ec2:terminateInstances"
"""What EventBridge Scheduler calls: the end of its address."""

AS_IT_IS = -1


def ender(subject: str, cloud: str, ends: Any, runs: Any, *, works: bool) -> Facts:
    """Of the machine with that id or address. One that is off, or does something else, ends nothing."""
    part = Part.ENDER if works else Part.MACHINE
    return Facts(subject=subject, cloud=cloud, instance_types=(), part=part, machine=called(ends), runs=runs)


def timed(runs: Any, zone: Any = None, since: Any = None, until: Any = None) -> Any:
    """When it runs; UNKNOWN where a part of that is, None where nothing is said."""
    between = (moment(since), moment(until))
    if UNKNOWN in (runs, zone, *between):
        return UNKNOWN
    return Timetable(runs=str(runs), zone=str(zone or ""), since=between[0], until=between[1]) if runs else None


def daily(time: Any) -> Any:
    """A cron line of a time as Azure writes it, such as 1900."""
    return f"{str(time)[2:]} {str(time)[:2]} * * *" if given(time) is True else time


def shutdown(subject: str, inputs: Inputs) -> Facts:
    """Azure's own, of one machine: daily, the one recurrence that Azure knows for it."""
    task, status = at(inputs, "taskType"), at(inputs, "status", default="Enabled")
    works = task in ("ComputeVmShutdownTask", UNKNOWN) and status in ("Enabled", UNKNOWN)
    runs = timed(daily(at(inputs, "dailyRecurrence", "time")), at(inputs, "timeZoneId"))
    return ender(subject, "azure", at(inputs, "targetResourceId"), runs, works=works)


def older_shutdown(subject: str, inputs: Inputs) -> Facts:
    """The same, of the older provider."""
    works = at(inputs, "enabled", default=True) in (True, UNKNOWN)
    runs = timed(daily(at(inputs, "dailyRecurrenceTime")), at(inputs, "timezone"))
    return ender(subject, "azure", at(inputs, "virtualMachineId"), runs, works=works)


def job(subject: str, inputs: Inputs) -> Facts:
    """Cloud Scheduler's, where it deletes a TPU node."""
    method, address = at(inputs, "httpTarget", "httpMethod"), at(inputs, "httpTarget", "uri", default="")
    deletes = method == "DELETE" and (address is UNKNOWN or "tpu.googleapis.com" in str(address))
    runs = timed(at(inputs, "schedule"), at(inputs, "timeZone"))
    return ender(subject, "gcp", address, runs, works=deletes and truth(at(inputs, "paused")) is not True)


def of_group(subject: str, inputs: Inputs) -> Facts:
    """Auto Scaling's own: a size that is not said is 0, and -1 leaves it as it is."""
    sizes = [at(inputs, size, default=0) for size in ("minSize", "maxSize", "desiredCapacity")]
    once = at(inputs, "startTime")
    runs = at(inputs, "recurrence", default=once if once in (None, UNKNOWN) else f"at({once})")
    until = timed(runs, at(inputs, "timeZone"), once, at(inputs, "endTime"))
    return sized(
        subject, at(inputs, "autoscalingGroupName"), [None if one == AS_IT_IS else one for one in sizes], until
    )


def sized(subject: str, group: Any, sizes: list[Any], runs: Any) -> Facts:
    """What sets a scaling group to another least, largest and desired size at set times: down to nothing, or up."""
    least, most, wanted = sizes
    rises = [one for one in (least, wanted) if one is not UNKNOWN and one is not None and one > 0]
    down = not rises and (UNKNOWN in sizes or 0 in (most, wanted))
    return Facts(
        subject=subject, cloud="aws", instance_types=(), machine=called(group), runs=runs, smallest=least,
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
    runs = timed(
        at(inputs, "scheduleExpression"), at(inputs, "scheduleExpressionTimezone"),
        at(inputs, "startDate"), at(inputs, "endDate"),
    )  # fmt: skip
    return resized(subject, arguments, runs) if target.endswith(RESIZE) else terminated(subject, arguments, runs)


def terminated(subject: str, arguments: Any, runs: Any) -> Facts:
    found = listed(at(arguments, "InstanceIds"))
    ids = (UNKNOWN,) if found is UNKNOWN else tuple(called(one) for one in found)
    return Facts(subject=subject, cloud="aws", instance_types=(), part=Part.ENDER, ids=ids, runs=runs)


def resized(subject: str, arguments: Any, runs: Any) -> Facts:
    """A size that is not said stays as it is."""
    sizes = [at(arguments, size) for size in ("MinSize", "MaxSize", "DesiredCapacity")]
    return sized(subject, at(arguments, "AutoScalingGroupName"), sizes, runs)


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure-native:devtestlab:GlobalSchedule": shutdown,
    "azure:devtest/globalVMShutdownSchedule:GlobalVMShutdownSchedule": older_shutdown,
    "gcp:cloudscheduler/job:Job": job,
    "aws:autoscaling/schedule:Schedule": of_group,
}
"""By the type's token."""
