"""What is there under our names before the stack makes it: imported where `adopt` says so, in its way otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

import pulumi

MISSING = ("no matching", "couldn't find", "not found", "notfound", "nosuchentity", "empty result")
"""How the provider says that there is no such thing, where it does not answer with an empty list."""


def there(ask: Callable[[], Any]) -> Any:
    """What the data source gives; None where it says that there is nothing."""
    try:
        return ask()
    except Exception as refusal:
        if any(word in str(refusal).lower() for word in MISSING):
            return None
        raise


class Adoption:
    """Gives each resource its options. Labels stay as they are while it imports: an import changes nothing."""

    def __init__(self, parent: pulumi.Resource, *, adopt: bool) -> None:
        self._parent, self._adopt = parent, adopt
        if adopt:
            pulumi.warn(
                "adopt is on: labels stay as they are. "
                "'pulumi config rm adopt' and 'pulumi up' label what was imported as this stack's."
            )

    def options(
        self, what: str, found: str | None, *, ignore: Sequence[str] = ("tags",), **more: Any
    ) -> pulumi.ResourceOptions:
        """For the resource that would be this thing; `found` is the id of what is there, None where nothing is."""
        more = {"parent": self._parent} | more
        if found is None:
            return pulumi.ResourceOptions(**more)
        if self._adopt:
            return pulumi.ResourceOptions(import_=found, ignore_changes=list(ignore), **more)
        hook = pulumi.ResourceHook(f"{what} {found}", in_the_way(what, found), pulumi.ResourceHookOptions(True))
        binding = pulumi.ResourceHookBinding(before_create=[hook])
        return pulumi.ResourceOptions(hooks=binding, **more)


def in_the_way(what: str, found: str) -> Any:
    """Only what this stack would create is refused: what it has already is its own."""

    def refuse(_: pulumi.ResourceHookArgs) -> None:
        raise pulumi.RunError(
            f"the {what} {found} is there already, and this stack did not make it.\n"
            "hint: 'pulumi config set adopt true' imports it, with everything else that is there."
        )

    return refuse
