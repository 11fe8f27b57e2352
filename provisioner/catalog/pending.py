"""What a killed `pulumi up` was making: which ids that can have, and a state in which it has them.

The format of a state is that of `pulumi stack export`:
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (DeploymentV3)
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.catalog.tariffs import held

State = dict[str, Any]
CREATING = "creating"
PROVIDERS = "pulumi:providers:"
SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)")


@dataclass(frozen=True, slots=True)
class Pending:
    """One thing that may have been made: nobody wrote down its id."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    custom: bool = True
    """Of a provider; a component is nothing in the cloud."""

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def cloud(self) -> str:
        """aws, gcp or azure-native."""
        return self.type.partition(":")[0]


def table() -> dict[str, Any]:
    return held("pending.toml")


def pending(state: State) -> list[Pending]:
    """What was being created."""
    return [Pending(one["urn"], one["type"], one.get("inputs", {}), one.get("custom", True)) for one in created(state)]


def created(state: State) -> list[State]:
    """The resources of its pending creates."""
    operations: list[State] = deployment(state).get("pending_operations") or []
    return [one["resource"] for one in operations if one["type"] == CREATING]


def deployment(state: State) -> State:
    return state.get("deployment") or {}


def known(state: State) -> set[str]:
    """The ids in the state."""
    return {one["id"] for one in deployment(state).get("resources") or () if one.get("id")}


def settings(state: State, cloud: str) -> dict[str, str]:
    """What the stack's provider of that cloud was told, and the subscription that ids tell of."""
    told: dict[str, str] = {}
    for one in deployment(state).get("resources") or ():
        if one["type"] == f"{PROVIDERS}{cloud}":
            told |= {key: value for key, value in one.get("inputs", {}).items() if isinstance(value, str)}
    found = [match[1] for one in sorted(known(state)) if (match := SUBSCRIPTION.match(one))]
    subscription = told.get("subscriptionId") or next(iter(found), "")
    return told | ({"subscription": subscription} if subscription else {})


def id_of(one: Pending, told: Mapping[str, str]) -> str | None:
    """By its inputs, else by what the provider was told; None for a type, or with settings, that does not say it."""
    template: str | None = table()["ids"].get(one.type)
    try:
        return template and template.format_map({**told, **one.inputs})
    except KeyError:
        return None


def said_again(one: Pending) -> bool:
    """It needs no id: another `up` does the same once more."""
    return not one.custom or one.type in table()["again"]["types"]


def adopted(state: State, ids: Mapping[str, str], dropped: set[str]) -> State:
    """The state with these (by urn) as made, and without those that were not; others stay pending.

    What takes the place of something goes on as its successor: the old one is left to be deleted.
    """
    made = copy.deepcopy(state)
    inside, new = deployment(made), [one for one in created(made) if one["urn"] in ids]
    operations: list[State] = inside.get("pending_operations") or []
    settled = {*ids, *dropped}
    inside["pending_operations"] = [
        one for one in operations if one["type"] != CREATING or one["resource"]["urn"] not in settled
    ]
    for old in inside["resources"]:
        if old["urn"] in ids:
            old["delete"] = True
    inside["resources"] += [one | {"id": ids[one["urn"]]} for one in new]
    return made
