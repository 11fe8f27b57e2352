"""What the stand-in provider can do with one type of resource. Each acts on the cloud; state is what it answered."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from provisioner.sandbox.pulumi.wire import UNKNOWN

Inputs = dict[str, Any]
Clients = Callable[[str], Any]
"""A boto3 client by the name of its service."""
EVERYTHING = ("*",)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource type. `replaces` are the inputs that cannot change in place; `computed` are known after create."""

    create: Callable[[Clients, Inputs], tuple[str, Inputs]]
    delete: Callable[[Clients, str, Inputs], None]
    read: Callable[[Clients, str, Inputs], Inputs | None]
    """The outputs as they are now; None once it is gone."""
    update: Callable[[Clients, str, Inputs, Inputs], None] | None = None
    replaces: tuple[str, ...] = EVERYTHING
    in_place: tuple[str, ...] = ("tags",)
    """Where everything else replaces it."""
    computed: tuple[str, ...] = ("arn",)
    shaped: tuple[str, ...] = ()
    """Inputs that come out in another shape."""
    drifts: tuple[str, ...] = ("tags",)
    """Inputs that Read tells as they are now, so that a refresh sees what somebody else changed."""
    anew: tuple[str, ...] = ()
    """Outputs that a change of anything but its tags makes anew: not known at preview."""
    required: tuple[str, ...] = ()
    autoname: str = ""
    imported: Callable[[Clients, str], Inputs | None] | None = None
    """The inputs that would make what is there; without it the type cannot be imported."""
    refusals: Callable[[Inputs], Iterable[tuple[str, str]]] = field(default=lambda _: ())
    """(input, what is wrong with it), for what the real provider refuses before any call."""

    def planned(self, old: Inputs, new: Inputs) -> Inputs:
        """What a preview of the change cannot know."""
        changed = {name for name in {*old, *new} - set(self.in_place) if old.get(name) != new.get(name)}
        return dict.fromkeys(self.anew, UNKNOWN) if changed else {}

    def replacing(self, changed: Iterable[str]) -> list[str]:
        if self.replaces == EVERYTHING:
            return [name for name in changed if name not in self.in_place] if self.update else list(changed)
        return [name for name in changed if name in self.replaces]


def tags_of(inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted((inputs.get("tags") or {}).items())]


def untagged(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or () if not tag["Key"].startswith("aws:")}


def tag_anew(change: Callable[..., Any], drop: Callable[..., Any], named: Inputs, old: Inputs, new: Inputs) -> None:
    """Tags change in place, on every type. `named` says which to a service that takes a list of tags."""
    if lost := untold(old, new):
        drop(**named, TagKeys=lost)
    if new.get("tags"):
        change(**named, Tags=tags_of(new))


def untold(old: Inputs, new: Inputs) -> list[str]:
    """The keys that are no longer wanted."""
    return sorted(set(old.get("tags") or {}) - set(new.get("tags") or {}))


def tagged(tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> Inputs:
    """The outputs that say what tags there are."""
    plain = dict(tags) if isinstance(tags, Mapping) else untagged(tags)
    return {"tags": plain, "tagsAll": plain}


def gone(call: Callable[[], Any], *codes: str) -> Any:
    """What the call gives; None where the cloud says, by these codes too, that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if "NotFound" in code or code in (
            "404",
            "NoSuchEntity",
            "InvalidPlacementGroup.Unknown",
            "NoSuchBucket",
            *codes,
        ):
            return None
        raise


def without_error(call: Callable[[], Any]) -> None:
    """A delete of what is gone already has succeeded."""
    gone(call)
