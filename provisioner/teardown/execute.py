"""Carries out a teardown, item by item, in order; run again, it continues where it was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from provisioner.clock import Clock
from provisioner.clouds.base import FindsLeftovers
from provisioner.clouds.regions import collected
from provisioner.domain.leftovers import Leftover
from provisioner.errors import AccelctlError, CloudError

PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)
PATIENCE = timedelta(minutes=10)
"""How long things may take to go: a VPC waits for its machines, a NAT gateway for its address."""


Chosen = Callable[[Leftover], bool]


def everything(_: Leftover) -> bool:
    return True


class Result(StrEnum):
    """What became of an item."""

    REMOVED = "removed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing and what became of it."""

    leftover: Leftover
    result: Result
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is there and chosen, in the order in which it can go; `unseen` says why a region could not be looked at."""

    items: tuple[Leftover, ...] = ()
    unseen: Mapping[str, AccelctlError] = field(default_factory=dict[str, AccelctlError])

    @property
    def nothing(self) -> bool:
        """And that is certain."""
        return not self.items and not self.unseen


def plan(cloud: FindsLeftovers, *, job: str = "", data: bool = False, chosen: Chosen = everything) -> Listing:
    """What can be seen; a region that refuses keeps nothing back."""
    found, unseen = collected(cloud.leftovers(job=job, data=data))
    going = sorted(filter(chosen, found), key=lambda one: (one.order, one.region, one.id))
    return Listing(items=tuple(going), unseen=unseen)


def execute(cloud: FindsLeftovers, items: Sequence[Leftover]) -> list[Item]:
    """One try for each; one refusal never stops the others."""
    return [removed(cloud, leftover) for leftover in items]


def removed(cloud: FindsLeftovers, leftover: Leftover) -> Item:
    try:
        cloud.remove(leftover)
    except CloudError as refusal:
        return Item(leftover=leftover, result=Result.REFUSED, reason=refusal.message)
    return Item(leftover=leftover, result=Result.REMOVED)


def until_gone(
    cloud: FindsLeftovers,
    clock: Clock,
    *,
    job: str = "",
    data: bool = False,
    tell: Callable[[Item], None],
    chosen: Chosen = everything,
) -> Listing:
    """Removes round after round until nothing that can be seen is left, or patience ends; what is left then."""
    pause, end = PAUSE, clock.now() + PATIENCE
    told: set[tuple[str, Result]] = set()
    left = plan(cloud, job=job, data=data, chosen=chosen)
    while True:
        for item in execute(cloud, left.items):
            if (item.leftover.id, item.result) not in told:
                told.add((item.leftover.id, item.result))
                tell(item)
        left = plan(cloud, job=job, data=data, chosen=chosen)
        if not left.items or clock.now() >= end:
            return left
        clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
