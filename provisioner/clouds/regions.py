"""Listings of many regions, of which some do not answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from provisioner.errors import AccelctlError, CloudError

ELSEWHERE = "every other region"
"""In place of their names, where nobody may list them."""

Found = TypeVar("Found")


class Unseen(CloudError):
    """Raised at the end of a listing: what came before it stands. `regions` says why each of the others is missing;
    '' is what is in no region."""

    def __init__(self, regions: Mapping[str, AccelctlError]) -> None:
        names, first = [named(region) for region in regions], next(iter(regions.values()))
        super().__init__(f"could not be looked at: {', '.join(names)} ({first.message})", hint=first.hint)
        self.regions = dict(regions)


def named(region: str) -> str:
    """A region in words."""
    return region or "what is in no region"


def each_region(look: Callable[[str], Iterable[Found]], regions: Iterable[str]) -> Iterator[Found]:
    """What all of them have; one that refuses keeps nothing of the others back. Raises Unseen at the end, for those.

    So it does where `regions` itself is a listing that ends so.
    """
    refused: dict[str, AccelctlError] = {}
    places, unlisted = collected(regions)
    for region in places:
        try:
            yield from look(region)
        except AccelctlError as refusal:
            refused[region] = refusal
    if refused or unlisted:
        raise Unseen({**refused, **unlisted})


def collected(listing: Iterable[Found]) -> tuple[list[Found], Mapping[str, AccelctlError]]:
    """What a listing has, and why of the regions that it could not look at."""
    found: list[Found] = []
    try:
        found.extend(listing)
    except Unseen as blind:
        return found, blind.regions
    return found, {}
