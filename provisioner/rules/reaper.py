"""Facts of the reaper's own parts: what keeps it from working, or from being missed (pulumi-aws, version 7)."""

from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at
from provisioner.rules.enders import scheduled
from provisioner.rules.facts import UNKNOWN, Facts, Part

NAME = "accelctl-reaper"
"""What the names of its function and its schedule begin with."""
NAMESPACE = "accelctl/reaper"
HEARD = "Success"
"""The metric whose silence is the alarm; the reaper's other alarms watch what it does say."""


def part(subject: str, silent: Any) -> Facts:
    return Facts(subject=subject, cloud="aws", instance_types=(), part=Part.REAPER, fault=silent)


def other(subject: str) -> Facts:
    return Facts(subject=subject, cloud="aws", instance_types=())


def schedule(subject: str, inputs: Inputs) -> Facts:
    name, state = at(inputs, "name", default=""), at(inputs, "state", default="ENABLED")
    if name is not UNKNOWN and not name.startswith(NAME):
        return scheduled(subject, inputs) or other(subject)
    off = "the reaper's schedule is off, so nobody looks; set its state to ENABLED"
    return part(subject, UNKNOWN if UNKNOWN in (name, state) else "" if state == "ENABLED" else off)


def function(subject: str, inputs: Inputs) -> Facts:
    name, room = at(inputs, "name", default=""), at(inputs, "reservedConcurrentExecutions", default=-1)
    if name is not UNKNOWN and not name.startswith(NAME):
        return other(subject)
    off = "the reaper's function may not run (no concurrency is left to it); give it some"
    return part(subject, UNKNOWN if UNKNOWN in (name, room) else off if room == 0 else "")


def alarm(subject: str, inputs: Inputs) -> Facts:
    space, silence = at(inputs, "namespace", default=""), at(inputs, "treatMissingData", default="missing")
    told = at(inputs, "actionsEnabled", default=True)
    if space not in (NAMESPACE, UNKNOWN) or at(inputs, "metricName", default=HEARD) not in (HEARD, UNKNOWN):
        return other(subject)
    deaf = "the alarm does not hear silence; set treat_missing_data to breaching, and leave its actions on"
    return part(
        subject, UNKNOWN if UNKNOWN in (space, silence, told) else "" if silence == "breaching" and told else deaf
    )


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "aws:scheduler/schedule:Schedule": schedule,
    "aws:lambda/function:Function": function,
    "aws:cloudwatch/metricAlarm:MetricAlarm": alarm,
}
"""By the type's token."""
