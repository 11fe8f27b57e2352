"""Finds what was made, writes it down, has Pulumi read it, and only then calls it settled.

Killed or refused at any line, the next run goes on: a thing is pending until Pulumi has seen it.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

from provisioner.adoption import state as states
from provisioner.adoption.state import State
from provisioner.catalog.pending import id_of, said_again
from provisioner.clouds.pending import FindsPending
from provisioner.domain.pending import Pending
from provisioner.errors import ConfigError

Finders = Callable[[str], FindsPending | None]
"""For a provider's name, what finds its things; None where their ids follow from their inputs."""
SURROUNDINGS = {
    "subscription": ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"),
    "project": ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
"""What the providers read from the environment."""


class Engine(Protocol):
    """Pulumi, for one stack."""

    def state(self) -> State: ...

    def replace(self, state: State) -> None:
        """In place of the one that it has."""
        ...

    def refresh(self) -> None:
        """Reads everything of the state, and drops from it what is not there."""
        ...


def adopt(engine: Engine, finders: Finders) -> tuple[list[Pending], dict[str, str]]:
    """What was pending, and by urn the ids: empty for what was not made, none for what nobody can tell.

    Raises ConfigError where another Pulumi works on the stack; CloudError.
    """
    before = engine.state()
    waiting = states.pending(before)
    ids = identities(before, waiting, cache(finders))
    if not ids:
        return waiting, ids
    if any(ids.values()):
        write(engine, before, states.taking(before, ids))
        confirm(engine)
    now = engine.state()
    engine.replace(states.settled(now, ids))
    return waiting, {urn: found if found in states.known(now) else "" for urn, found in ids.items()}


def write(engine: Engine, before: State, after: State) -> None:
    """Raises ConfigError where the state is no longer the one that the ids were looked for in."""
    if engine.state() != before:
        raise ConfigError(
            "the stack's state changed meanwhile; nothing was written.",
            hint="run it again once no other 'pulumi' works on the stack.",
        )
    engine.replace(after)


def confirm(engine: Engine) -> None:
    """Raises ConfigError: until Pulumi has read them, some of the ids are only what they would be."""
    try:
        engine.refresh()
    except ConfigError as refusal:
        refusal.hint = f"{refusal.hint} Then adopt once more, before any 'pulumi up'."
        raise


def identities(state: State, waiting: list[Pending], finders: Finders) -> dict[str, str]:
    """By urn. One thing is found once: an id that was given is another's no more."""
    ids: dict[str, str] = {}
    for one in waiting:
        told = surroundings(os.environ) | states.settings(state, one.cloud)
        found = one.id or identity(one, told, states.known(state) | set(ids.values()), finders(one.cloud))
        ids |= {} if found is None else {one.urn: found}
    return ids


def identity(one: Pending, told: Mapping[str, str], known: set[str], finder: FindsPending | None) -> str | None:
    """Its id; empty where there is nothing to adopt, None where nobody can tell."""
    if said_again(one):
        return ""
    return finder.find(one, told, known) if finder else id_of(one, told)


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    found = {what: next((environment[name] for name in several if environment.get(name)), "")
             for what, several in SURROUNDINGS.items()}  # fmt: skip
    return {what: value for what, value in found.items() if value}
