"""The interface for `accelctl adopt`."""

from collections.abc import Collection, Mapping
from typing import Protocol

from provisioner.domain.pending import Pending


class FindsPending(Protocol):
    """Finds what a killed Pulumi was making, where its inputs alone do not give its id."""

    def find(self, one: Pending, told: Mapping[str, str], known: Collection[str]) -> str | None:
        """Its id; empty where it was not made, None where nobody can tell. Raises CloudError, ConfigError.

        `told` is what its provider was told (such as `region`); `known` are ids of others.
        """
        ...
