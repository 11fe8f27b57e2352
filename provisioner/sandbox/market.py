"""What can be had and at what price, per (instance type, zone), with the price's history."""

import csv
import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files

from provisioner.sandbox.clock import SandboxClock

Pool = tuple[str, str]
UNKNOWN_TYPE = Decimal("1.00")
ZONE_STEP = Decimal("0.02")
"""Each further zone is two per cent dearer, so that an order of zones can be seen."""


@cache
def listed() -> dict[str, tuple[Decimal, Decimal]]:
    """Instance type -> spot price in zone a, on-demand price."""
    with (files("provisioner.sandbox") / "prices.csv").open(encoding="utf-8") as file:
        return {row["instance_type"]: (Decimal(row["spot"]), Decimal(row["on_demand"])) for row in csv.DictReader(file)}


class Market:
    """Capacity left and prices. Unset capacity is unlimited."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._opened = clock.now()
        self._capacity: dict[Pool, int] = {}
        self._history: dict[Pool, list[tuple[datetime, Decimal]]] = {}
        self._lock = threading.Lock()

    def free(self, pool: Pool) -> int | None:
        return self._capacity.get(pool)

    def take(self, pool: Pool, count: int) -> None:
        with self._lock:
            if pool in self._capacity:
                self._capacity[pool] -= count

    def give_back(self, pool: Pool) -> None:
        """A machine of the pool has ended by itself; what the cloud took back it keeps."""
        with self._lock:
            if pool in self._capacity:
                self._capacity[pool] += 1

    def set_capacity(self, pool: Pool, count: int) -> None:
        self._capacity[pool] = count

    def set_price(self, pool: Pool, price: Decimal) -> None:
        self.prices(pool).append((self._clock.now(), price))

    def prices(self, pool: Pool) -> list[tuple[datetime, Decimal]]:
        """Oldest first; never empty."""
        with self._lock:
            return self._history.setdefault(pool, [(self._opened, first_price(pool))])

    def price(self, pool: Pool) -> Decimal:
        return self.prices(pool)[-1][1]

    def between(self, pool: Pool, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, Decimal]]:
        """The price in effect, span by span."""
        changes = self.prices(pool)
        for (at, price), until in zip(changes, [*(row[0] for row in changes[1:]), end], strict=True):
            since, before = max(at, start), min(until, end)
            if at is changes[0][0]:
                since = start
            if since < before:
                yield since, before, price


def first_price(pool: Pool) -> Decimal:
    kind, zone = pool
    spot = listed().get(kind, (UNKNOWN_TYPE, UNKNOWN_TYPE))[0]
    return (spot * (1 + ZONE_STEP * (ord(zone[-1]) - ord("a")))).quantize(Decimal("0.000001"))


def on_demand(kind: str) -> Decimal:
    return listed().get(kind, (UNKNOWN_TYPE, UNKNOWN_TYPE * 3))[1]
