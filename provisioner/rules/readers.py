"""Which resource types the rules can read, and which could carry a machine and are not read: those are said."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import NoneType
from typing import Any, cast

from provisioner.errors import ConfigError
from provisioner.rules import (
    autoscaling,
    aws,
    aws_services,
    azure,
    azure_classic,
    azure_containers,
    azure_services,
    enders,
    floor,
    google,
    google_run,
    google_services,
    google_vertex,
    reaper,
)  # fmt: skip
from provisioner.rules.aws import Inputs, at, given
from provisioner.rules.facts import UNKNOWN, Facts, Unknown
from provisioner.rules.places import located

READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    **aws.READERS,
    **aws_services.READERS,
    **google.READERS,
    **google_services.READERS,
    **google_vertex.READERS,
    **google_run.READERS,
    **azure.READERS,
    **azure_services.READERS,
    **azure_classic.READERS,
    **azure_containers.READERS,
    **reaper.READERS,
    **autoscaling.READERS,
    **enders.READERS,
    **floor.READERS,
}
"""By the type's token."""
ROLES = {
    **dict.fromkeys(reaper.READERS, "judged as a part of the reaper"),
    **dict.fromkeys(enders.READERS, "keeps the end of a machine"),
    **dict.fromkeys(floor.READERS, "judged by the security floor alone"),
}
CARRIES = re.compile(r"\w*(instance|machine|accelerator)_?types?|\w*vm_?sizes?|\w*node_?configs?", re.IGNORECASE)
"""Names of inputs; carriers.py has them as Python writes them."""
WORD = re.compile(f"\\b({CARRIES.pattern})\\b", re.IGNORECASE)
WRITTEN = (
    "aws:cloudcontrol/resource:Resource",
    "aws:cloudformation/stack:Stack",
    "aws:cloudformation/stackSet:StackSet",
    "azure-native:resources:Deployment",
    "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
    "gcp:deploymentmanager/deployment:Deployment",
)
"""Types that make whatever a text of theirs says."""
TEXTS = (
    ("templateBody",), ("desiredState",), ("properties", "template"), ("templateContent",),
    ("target", "config", "content"), ("target", "imports"),
)  # fmt: skip
ELSEWHERE = (("templateUrl",), ("properties", "templateLink"), ("templateSpecVersionId",))
"""Where such a type says that its text cannot be seen from here."""
SIZE = re.compile(r"standard_n[a-z]*\d\w*", re.IGNORECASE)
VERSIONED = re.compile(r"azure-native(?:_\w+)?:(\w+?)(?:/v\w+)?:(\w+)")


def plain(token: str) -> str:
    """azure-native has a type for each version of the API, and packages of single services: they are one."""
    found = VERSIONED.fullmatch(token)
    return f"azure-native:{found[1]}:{found[2]}" if found else token


def reader_of(token: str) -> Callable[[str, Inputs], Facts] | None:
    """What it gives raises ConfigError for inputs of a wrong kind, with the resource's name."""
    read = READERS.get(plain(token))
    return guarded(located(read), token) if read else None


def guarded(read: Callable[[str, Inputs], Facts], token: str) -> Callable[[str, Inputs], Facts]:
    def reader(subject: str, inputs: Inputs) -> Facts:
        try:
            found = read(subject, inputs)
            for one in found.members:
                refuse_wrong(one)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as wrong:
            raise ConfigError(
                f"{subject} ({token}): an input is of the wrong kind: {wrong}.", hint="mend it where it is written."
            ) from wrong
        return found

    return reader


def refuse_wrong(facts: Facts) -> None:
    """Raises TypeError for what would only break, or pass, a rule later."""
    shapes: tuple[tuple[Any, tuple[type, ...], str], ...] = (
        (facts.least, (int, float, Unknown), "number"), (facts.most, (int, float, NoneType, Unknown), "number"),
        (facts.labels, (Mapping, Unknown), "table of labels"), (facts.hands_on, (Mapping, Unknown), "table of labels"),
    )  # fmt: skip
    for value, kinds, wanted in shapes:
        if not isinstance(value, kinds):  # pyright: ignore[reportUnnecessaryIsInstance] - a file says anything
            raise TypeError(f"{value!r} is no {wanted}")
    for one in () if isinstance(facts.instance_types, Unknown) else facts.instance_types:
        if not isinstance(one, str | Unknown):  # pyright: ignore[reportUnnecessaryIsInstance] - a file says anything
            raise TypeError(f"{one!r} is no type of machine")


@cache
def not_checked() -> frozenset[str]:
    """Tokens of every type with an input for a machine's type, less those that have a reader.

    `carriers.txt` is read off the SDKs by carriers.py; a test holds it to the installed ones.
    """
    listed = (files("provisioner.rules") / "carriers.txt").read_text().split()
    return frozenset(listed) - frozenset(READERS)


def told_in_text(inputs: Any) -> bool:
    """Whether a template or a document could ask for a machine: by its words, or because it stands elsewhere."""
    texts = [at(inputs, *path) for path in TEXTS]
    if UNKNOWN in texts or any(given(at(inputs, *path)) for path in ELSEWHERE):
        return True
    return any(WORD.search(str(one)) for one in texts if one is not None) or names_a_machine(inputs)


def could_carry(token: str, inputs: Any) -> bool:
    """Whether it is not judged, and could carry a machine: by the SDK that has the type, or by what it is given.

    The second finds the types of SDKs that are not installed here.
    """
    if reader_of(token):
        return False
    if plain(token) in WRITTEN:
        return told_in_text(inputs)
    return plain(token) in not_checked() or names_a_machine(inputs)


def names_a_machine(value: Any) -> bool:
    """At any depth: an input named like a machine's type, or a size of Azure's N series."""
    if isinstance(value, Mapping):
        held = cast("Mapping[str, Any]", value)
        return any(CARRIES.fullmatch(name) or names_a_machine(one) for name, one in held.items())
    if isinstance(value, list):
        return any(map(names_a_machine, cast("list[Any]", value)))
    return isinstance(value, str) and SIZE.fullmatch(value) is not None


def types_table() -> str:
    """The table of docs/rules.md."""
    rows = (
        [(ROLES.get(token, "judged"), token) for token in sorted(READERS)]
        + [("named, not judged", one) for one in sorted(not_checked())]
        + [("named, where its text could ask for a machine", one) for one in WRITTEN]
    )
    lines = [f"| `{token}` | {how} |" for how, token in rows]
    return "\n".join(["| Type | |", "| --- | --- |", *lines])
