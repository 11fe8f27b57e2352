"""A stack's state: what is pending in it, and the same state with what was made.

The format is that of `pulumi stack export`:
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (DeploymentV3)
"""

import copy
import re
from collections.abc import Collection, Mapping
from typing import Any

from provisioner.domain.pending import Pending

State = dict[str, Any]
CREATING = "creating"
PROVIDERS = "pulumi:providers:"
SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)")


def pending(state: State) -> list[Pending]:
    """What was being created."""
    return [
        Pending(one["urn"], one["type"], one.get("inputs", {}), one.get("custom", True), one.get("id", ""))
        for one in created(state)
    ]


def created(state: State) -> list[State]:
    """The resources of its pending creates."""
    return [one["resource"] for one in operations(state) if one["type"] == CREATING]


def operations(state: State) -> list[State]:
    return deployment(state).get("pending_operations") or []


def deployment(state: State) -> State:
    return state.get("deployment") or {}


def resources(state: State) -> list[State]:
    """Pulumi leaves an empty list out."""
    return deployment(state).get("resources") or []


def known(state: State) -> set[str]:
    """The ids in the state."""
    return {one["id"] for one in resources(state) if one.get("id")}


def settings(state: State, cloud: str) -> dict[str, str]:
    """What the stack's provider of that cloud was told, and the subscription that ids tell of."""
    told: dict[str, str] = {}
    for one in resources(state):
        if one["type"] == f"{PROVIDERS}{cloud}":
            told |= {key: value for key, value in one.get("inputs", {}).items() if isinstance(value, str)}
    found = [match[1] for one in sorted(known(state)) if (match := SUBSCRIPTION.match(one))]
    subscription = told.get("subscriptionId") or next(iter(found), "")
    return told | ({"subscription": subscription} if subscription else {})


def taking(state: State, ids: Mapping[str, str]) -> State:
    """The state with these (by urn) as made. They are pending still, with their ids: nobody has seen them yet.

    What takes the place of something goes on as its successor: the old one is left to be deleted.
    """
    made = copy.deepcopy(state)
    new = [one for one in created(made) if ids.get(one["urn"], "") not in ("", one.get("id"))]
    replaced = {one["urn"] for one in new}
    for old in resources(made):
        if old["urn"] in replaced:
            old["delete"] = True
    for one in new:
        one["id"] = ids[one["urn"]]
    deployment(made)["resources"] = [*resources(made), *map(dict, new)]
    return made


def settled(state: State, urns: Collection[str]) -> State:
    """The state in which these are pending no longer."""
    kept = [one for one in operations(state) if one["type"] != CREATING or one["resource"]["urn"] not in urns]
    return state | {"deployment": deployment(state) | {"pending_operations": kept}}
