"""Which resource types the rules can read, and which could carry a machine and are not read: those are said."""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from provisioner.rules import aws, aws_services, azure, floor, google, reaper
from provisioner.rules.aws import Inputs
from provisioner.rules.facts import Facts

READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    **aws.READERS,
    **aws_services.READERS,
    **google.READERS,
    **azure.READERS,
    **reaper.READERS,
    **floor.READERS,
}
"""By the type's token."""
ROLES = dict.fromkeys(reaper.READERS, "judged as a part of the reaper") | dict.fromkeys(
    floor.READERS, "judged by the security floor alone"
)
VERSIONED = re.compile(r"azure-native(?:_\w+)?:(\w+?)(?:/v\w+)?:(\w+)")


def plain(token: str) -> str:
    """azure-native has a type for each version of the API, and packages of single services: they are one."""
    found = VERSIONED.fullmatch(token)
    return f"azure-native:{found[1]}:{found[2]}" if found else token


def reader_of(token: str) -> Callable[[str, Inputs], Facts] | None:
    return READERS.get(plain(token))


@cache
def not_checked() -> frozenset[str]:
    """Tokens of every type with an input for a machine's type, less those that have a reader.

    `carriers.txt` is read off the SDKs by carriers.py; a test holds it to the installed ones.
    """
    listed = (files("provisioner.rules") / "carriers.txt").read_text().split()
    return frozenset(listed) - frozenset(READERS)


def types_table() -> str:
    """The table of docs/rules.md."""
    rows = [(ROLES.get(token, "judged"), token) for token in sorted(READERS)] + [
        ("named, not judged", one) for one in sorted(not_checked())
    ]
    lines = [f"| `{token}` | {how} |" for how, token in rows]
    return "\n".join(["| Type | |", "| --- | --- |", *lines])
