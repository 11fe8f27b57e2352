"""Facts of Azure's containers, as far as GPUs or machines of their own carry them. Shapes: pulumi-azure-native, 3."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from provisioner.rules.aws import Inputs, at, some
from provisioner.rules.azure import bought
from provisioner.rules.facts import UNKNOWN, Facts
from provisioner.rules.pools import number, rows_of, together

SHARED = re.compile(r"(consumption|flex)\b.*", re.IGNORECASE)
"""Profiles that keep no machine: each replica is paid for by itself."""
SMALL = re.compile(r"[de]4", re.IGNORECASE)
"""Four cores, which cost less than 1 USD/h."""
ENDS_ITSELF = ("Never", "OnFailure")


def container_group(subject: str, inputs: Inputs) -> Facts:
    """Container Instances': one with GPUs is a machine, which goes when its command does unless it is restarted."""
    cards = [at(one, "resources", "requests", "gpu") for one in rows_of(at(inputs, "containers"))]
    kinds: Any = UNKNOWN if UNKNOWN in cards else tuple(named(one) for one in cards if one is not None)
    again = at(inputs, "restartPolicy", default="Always")
    found = Facts(
        subject=subject, cloud="azure", instance_types=kinds, labels=at(inputs, "tags", default={}),
        capacity=bought(at(inputs, "priority", default="Regular")),
        otherwise="give it the priority Spot, or a restart policy by which it ends with its command",
    )  # fmt: skip
    return replace(found, group=True, most=1) if again in ENDS_ITSELF else found


def named(card: Any) -> str:
    """4 x V100, as far as it is known."""
    count, kind = at(card, "count", default=1), at(card, "sku", default="GPU")
    return " x ".join(str(one) for one in (count, kind) if one is not UNKNOWN) or "a GPU"


def environment(subject: str, inputs: Inputs) -> Facts:
    """Container Apps': each profile with machines of its own keeps a least number of them."""
    profiles = rows_of(at(inputs, "workloadProfiles")) or [{}]
    return together([profile(subject, one) for one in profiles], at(inputs, "tags", default={}))


def profile(subject: str, inputs: Any) -> Facts:
    kind = at(inputs, "workloadProfileType", default="Consumption")
    plain = kind is not UNKNOWN and (SHARED.fullmatch(str(kind)) or SMALL.fullmatch(str(kind)))
    return Facts(
        subject=subject, cloud="azure", instance_types=UNKNOWN if kind is UNKNOWN else () if plain else (kind,),
        group=True, least=number(at(inputs, "minimumCount", default=0)),
        most=number(at(inputs, "maximumCount", default=UNKNOWN)),
        otherwise="set the minimum_count of its profile to 0",
    )  # fmt: skip


def app(subject: str, inputs: Inputs) -> Facts:
    """On a profile whose machines all of its apps share, or, with GPUs, paid for by the replica."""
    cards = [number(at(one, "resources", "gpu", default=0)) for one in rows_of(at(inputs, "template", "containers"))]
    shared = at(inputs, "workloadProfileName", default="")
    told = [UNKNOWN if shared is UNKNOWN else "gpu" in str(shared).lower()]
    asks = some([*told, *(one if one is UNKNOWN else one > 0 for one in cards)])
    return Facts(
        subject=subject, cloud="azure", group=True, labels=at(inputs, "tags", default={}), unit="replica",
        instance_types=UNKNOWN if asks is UNKNOWN else ("a GPU of Container Apps",) if asks else (),
        least=number(at(inputs, "template", "scale", "minReplicas", default=0)),
        most=number(at(inputs, "template", "scale", "maxReplicas", default=10)),
        otherwise="set its min_replicas to 0",
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure-native:containerinstance:ContainerGroup": container_group,
    "azure-native:app:ManagedEnvironment": environment,
    "azure-native:app:ContainerApp": app,
}
"""By the type's token, without the version of the API."""
