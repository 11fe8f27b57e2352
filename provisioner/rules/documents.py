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
HIDDEN = "[secret]"
"""How a preview writes a secret, which may be anything."""
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How an exported state does: pulumi's sdk/go/common/resource/sig/sig.go."""
GOING = {"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"}
"""Operations after which the resource is not there: pulumi's pkg/resource/deploy/step.go."""


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
    refuse_failed(document, source)
    states = states_of(document)
    if states is None:
        raise ConfigError(
            f"{source}: it is neither a preview nor a stack.",
            hint="'pulumi preview --json' and 'pulumi stack export' write what can be checked.",
        )
    for number, state in enumerate(states, 1):
        if missing := lacks(state):
            raise ConfigError(
                f"{source}: resource {number} {missing}, so nothing can be said of it.", hint="write the file again."
            )
        component = state.get("custom") is False  # what it is made of follows as resources of its own
        if not component and not state["type"].startswith("pulumi:"):
            yield resource(state)


def refuse_failed(document: Any, source: str) -> None:
    """Raises ConfigError for a preview that broke off: what the rest of the program asks for is not in it."""
    held = cast(dict[str, Any], document) if isinstance(document, dict) else {}
    steps, told = held.get("steps"), held.get("diagnostics")
    rows = cast("list[Any]", told) if isinstance(told, list) else []
    wrong = [cast("dict[str, Any]", one) for one in rows if isinstance(one, dict)]
    errors = [
        str(one.get("message")).strip().removeprefix("error: ") for one in wrong if one.get("severity") == "error"
    ]
    if isinstance(steps, list) and (errors or not steps):
        why = errors[0].splitlines()[0] if errors and errors[0] else "it has no step, not even the stack's own"
        raise ConfigError(f"{source}: this preview failed: {why}", hint="mend the program, and preview it again.")


def resource(state: Mapping[str, Any]) -> Resource:
    options = {"protect": state.get("protect"), "ignoreChanges": state.get("ignoreChanges") or (),
               "id": state.get("id")}  # fmt: skip
    name = state["urn"].rsplit("::", 1)[-1]
    return Resource(name=name, token=state["type"], inputs=plain(state.get("inputs") or {}) | {OPTIONS: options})


def lacks(state: Any) -> str:
    """What a resource's state has to have and has not; empty for nothing."""
    if not isinstance(state, dict):
        return "has no state"
    held = cast(dict[str, Any], state)
    for name in ("type", "urn"):
        if not held.get(name) or not isinstance(held[name], str):
            return f"has no {name}"
    return "" if isinstance(held.get("inputs") or {}, dict) else "has inputs that are no table"


def states_of(document: Any) -> list[Any] | None:
    """What will be there; None for another kind of document."""
    if not isinstance(document, dict):
        return None
    held = cast(dict[str, Any], document)
    if isinstance(held.get("steps"), list):
        return [state for step in held["steps"] for state in after(step)]
    deployment: Any = held.get("deployment")
    if not deployment or not isinstance(deployment, dict):
        return None
    resources: Any = cast("dict[str, Any]", deployment).get("resources") or []
    return cast("list[Any]", resources) if isinstance(resources, list) else None


def after(step: Any) -> list[Any]:
    """What is there after a step: nothing, where it takes something away."""
    held = cast(dict[str, Any], step) if isinstance(step, dict) else {}
    return [] if held.get("op") in GOING else [held.get("newState")]


def plain(value: Any) -> Any:
    """What is hidden is as little known as what only `up` will know."""
    if isinstance(value, dict):
        held = cast(dict[str, Any], value)
        return UNKNOWN if held.get(SIGNATURE) == SECRET else {name: plain(one) for name, one in held.items()}
    if isinstance(value, list):
        return [plain(one) for one in cast(list[Any], value)]
    return UNKNOWN if isinstance(value, str) and value in (*NOT_YET, HIDDEN) else value
