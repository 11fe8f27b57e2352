"""Facts of what sizes a group from outside: Google's autoscalers, Azure's autoscale settings.

Their least is the group's, whatever the group itself says; what machines it has cannot be seen from them.
"""

import re
from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at, truth
from provisioner.rules.facts import UNKNOWN, Facts
from provisioner.rules.pools import number, rows_of

OTHERS = re.compile(r".*/providers/microsoft\.(?!compute/|machinelearningservices/).*", re.IGNORECASE)
"""Targets of Azure's that are no machines: plans of App Service, message queues."""


def sized(subject: str, cloud: str, least: Any, most: Any, *, works: Any = True) -> Facts:
    """Of a group elsewhere, whose type is not known here. What is off sizes nothing."""
    kinds: Any = () if works is False else UNKNOWN
    return Facts(
        subject=subject, cloud=cloud, instance_types=kinds, from_template=kinds is UNKNOWN,
        group=True, least=least, most=most, takes_labels=False,
    )  # fmt: skip


def autoscaler(subject: str, inputs: Inputs) -> Facts:
    """Google's, of a managed group. Its schedules raise the least, and never lower it."""
    policy = at(inputs, "autoscalingPolicy", default={})
    works = at(policy, "mode", default="ON") != "OFF"
    return sized(
        subject,
        "gcp",
        number(at(policy, "minReplicas", default=1)),
        number(at(policy, "maxReplicas", default=UNKNOWN)),
        works=works,
    )


def setting(subject: str, inputs: Inputs) -> Facts:
    """Azure's, of a scale set or an online deployment. Where one of its profiles has none, it goes down to none."""
    target = at(inputs, "targetResourceUri", default=at(inputs, "targetResourceId"))
    limits = [at(one, "capacity", default={}) for one in rows_of(at(inputs, "profiles"))]
    least, most = ([number(at(one, name, default=1)) for one in limits] for name in ("minimum", "maximum"))
    machines = target is UNKNOWN or not OTHERS.fullmatch(str(target))
    return sized(
        subject, "azure", 0 if 0 in least else UNKNOWN if UNKNOWN in least else min(least, default=0),
        UNKNOWN if UNKNOWN in most else max(most, default=0),
        works=machines and truth(at(inputs, "enabled", default=True)),
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "gcp:compute/autoscaler:Autoscaler": autoscaler,
    "gcp:compute/regionAutoscaler:RegionAutoscaler": autoscaler,
    "azure-native:monitor:AutoscaleSetting": setting,
    "azure:monitoring/autoscaleSetting:AutoscaleSetting": setting,
}
"""By the type's token, without the version of the API."""
