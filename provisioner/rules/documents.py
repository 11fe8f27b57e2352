"""Resources out of files: `pulumi preview --json`, and `pulumi stack export`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from provisioner.errors import ConfigError
from provisioner.rules.aws import OPTIONS
from provisioner.rules.facts import UNKNOWN

NOT_YET = {
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421", "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58", "e48ece36-62e2-4504-bad9-02848725956a",
}  # fmt: skip
"""The engine's signs for text, booleans, numbers, lists, assets and maps that are not known yet: pulumi's
sdk/go/common/resource/plugin/rpc.go."""
GOING = {"delete", "delete-replaced", "discard", "discard-replaced"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource: its name, its type's token, and its inputs with UNKNOWN where they are not known."""

    name: str
    token: str
    inputs: Mapping[str, Any]


def read(text: str, source: str) -> Iterator[Resource]:
    """Raises ConfigError naming the line of a malformed file, or what the file should have been."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as wrong:
        raise ConfigError(f"{source}, line {wrong.lineno}: {wrong.msg}.", hint="give it JSON.") from wrong
    states = states_of(document)
    if states is None:
        raise ConfigError(
            f"{source}: it is neither a preview nor a stack.",
            hint="'pulumi preview --json' and 'pulumi stack export' write what can be checked.",
        )
    for state in states:
        token = str(state.get("type", ""))
        if token and not token.startswith("pulumi:"):
            name = str(state.get("urn", "")).rsplit("::", 1)[-1]
            options = {"protect": state.get("protect"), "ignoreChanges": state.get("ignoreChanges") or ()}
            yield Resource(name=name, token=token, inputs=plain(state.get("inputs") or {}) | {OPTIONS: options})


def states_of(document: Any) -> list[Mapping[str, Any]] | None:
    """What will be there; None for another kind of document."""
    if not isinstance(document, dict):
        return None
    held = cast(dict[str, Any], document)
    if isinstance(held.get("steps"), list):
        return [step["newState"] for step in held["steps"] if step.get("newState") and step.get("op") not in GOING]
    deployment = cast(dict[str, Any] | None, held.get("deployment"))
    return list(deployment.get("resources") or []) if deployment else None


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(one) for name, one in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [plain(one) for one in cast(list[Any], value)]
    return UNKNOWN if isinstance(value, str) and value in NOT_YET else value
