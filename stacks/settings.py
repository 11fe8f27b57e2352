"""The configuration of a stack: typed, with a default, a description and a check that names the key."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import pulumi

from provisioner.catalog import labels
from provisioner.catalog.policies import TOPIC
from provisioner.domain.quantities import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: `parse` raises ValueError with what is allowed. A provider's own is named with it, as in aws:region."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str


def read(keys: tuple[Key, ...]) -> dict[str, Any]:
    """Every key of the stack. Raises RunError for a key that is not known, or a value that is not allowed."""
    known = {key.name: key for key in keys}
    given = {name.partition(":")[2]: name for name in pulumi.runtime.get_config_env() if name.startswith("accelctl:")}
    if unknown := sorted(set(given) - set(known)):
        raise pulumi.RunError(f"accelctl:{unknown[0]} is no key of this stack.\nhint: known are {', '.join(known)}.")
    return {name: parsed(key, configured(name)) for name, key in known.items()}


def configured(key: str) -> str | None:
    """As it was set; None where it was not."""
    space, _, name = key.rpartition(":")
    return pulumi.Config(space or None).get(name)


def parsed(key: Key, given: str | None) -> Any:
    text = key.default if given is None else given
    try:
        return key.parse(text)
    except ValueError as wrong:
        raise refusal(key.name, text, str(wrong), f"pulumi config set {key.name} VALUE; {key.help}") from wrong


def refusal(key: str, given: str, wrong: str, hint: str) -> pulumi.RunError:
    return pulumi.RunError(f"{key if ':' in key else f'accelctl:{key}'} is '{given}': {wrong}.\nhint: {hint}.")


def text(value: str) -> str:
    return value


def topic(value: str) -> str:
    """Empty, or an SNS topic. Raises ValueError for what is no ARN of one."""
    if value and not TOPIC.fullmatch(value):
        raise ValueError("it is no ARN of an SNS topic")
    return value


def label(value: str) -> str:
    """What AWS and Azure hold as it is; Google's are made of it. Raises ValueError for anything else.

    https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    """
    if not re.fullmatch(r"[\w .:/=+@-]{1,63}", value):
        raise ValueError("a label has 1 to 63 letters, digits, spaces and _ . : / = + - @")
    return value


def label_or_caller(value: str) -> str:
    return label(value) if value else value


def shaped(pattern: str, such_as: str) -> Callable[[str], str]:
    """Raises ValueError for what no cloud takes as a name of this kind."""

    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"it is a name such as {such_as}")
        return value

    return parse


BUCKET = r"|[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"
"""A bucket's name on AWS and Google Cloud, or nothing."""


def identity(prefix: str) -> Callable[[str], str]:
    """An id of the cloud's, or nothing."""

    def parse(value: str) -> str:
        if value and not re.fullmatch(rf"{prefix}-[0-9a-f]+", value):
            raise ValueError(f"it is an id such as {prefix}-0123456789abcdef0")
        return value

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"it is a whole number from {least} to {most}")
        return int(value)

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"it is one of {', '.join(filter(None, allowed))}")
        return value

    return parse


def several(*allowed: str) -> Callable[[str], str]:
    """Words with commas between them, or none."""

    def parse(value: str) -> str:
        words = [word.strip() for word in value.split(",") if word.strip()]
        for word in words:
            if word not in allowed:
                near = ", ".join(get_close_matches(word, allowed)) or allowed[0]
                raise ValueError(f"'{word}' is none of those allowed, such as {near}")
        return ",".join(words)

    return parse


def lasting(most: timedelta, least: timedelta = timedelta(minutes=5)) -> Callable[[str], timedelta]:
    def parse(value: str) -> timedelta:
        found = duration(value)
        if not least <= found <= most:
            raise ValueError(f"it is a duration from {int(least.total_seconds() // 60)}m to {most.days}d")
        return found

    return parse


KEPT_MOMENT = f'tags["{labels.EXPIRES_AT}"]'
"""For `ignore_changes`: the moment that was fixed when a thing was made stays, whatever else it is labelled."""
LABELS = (
    Key(name="owner", parse=label_or_caller, default="", help="label; the caller's name by default"),
    Key(name="team", parse=label, default="unassigned", help="label"),
    Key(name="costCenter", parse=label, default="unassigned", help="label"),
)


def marks(config: dict[str, Any], caller: Callable[[], str], **more: str) -> dict[str, str]:
    """The labels of everything in the stack; `caller` says who it is where no owner is configured."""
    owner, stack = config["owner"] or caller(), pulumi.get_stack()
    return labels.ours(owner=owner, stack=stack, team=config["team"], cost_center=config["costCenter"], **more)
