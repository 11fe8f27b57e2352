"""Carries out a teardown, item by item, in order; run again, it continues where it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from provisioner.clock import Clock
from provisioner.clouds.base import FindsLeftovers, Leftover
from provisioner.errors import CloudError

PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)
PATIENCE = timedelta(minutes=10)
"""How long things may take to go: a VPC waits for its machines, a NAT gateway for its address."""


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


def plan(cloud: FindsLeftovers, *, job: str = "", data: bool = False) -> tuple[Leftover, ...]:
    """What is there, in the order in which it can go."""
    return tuple(sorted(cloud.leftovers(job=job, data=data), key=lambda found: (found.order, found.region, found.id)))


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
    cloud: FindsLeftovers, clock: Clock, *, job: str = "", data: bool = False, tell: Callable[[Item], None]
) -> tuple[Leftover, ...]:
    """Removes round after round until nothing is left or patience ends; what is left then."""
    pause, end = PAUSE, clock.now() + PATIENCE
    told: set[tuple[str, Result]] = set()
    while True:
        for item in execute(cloud, plan(cloud, job=job, data=data)):
            if (item.leftover.id, item.result) not in told:
                told.add((item.leftover.id, item.result))
                tell(item)
        left = plan(cloud, job=job, data=data)
        if not left or clock.now() >= end:
            return left
        clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
