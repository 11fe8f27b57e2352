"""What the cloud would charge, under AWS's published rules; kept apart from everything that estimates costs.

By the second and 60 s at least, at the spot price as it changes; nothing for a spot instance that the cloud takes back
within its first hour (EC2 User Guide, "Billing for interrupted Spot Instances"); gp3 by the second; ways by the hour;
a capacity block once, its machines nothing; a reservation on demand for what nobody uses of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.labels import labels_of
from provisioner.sandbox.lifecycle import INTERRUPTED, pool_of
from provisioner.sandbox.market import Market, on_demand
from provisioner.sandbox.reservations import BLOCK, Reservation, Reservations, reserved_in
from provisioner.sandbox.transfer import between_regions

GIB = Decimal(1024**3)
MONTH = Decimal(730 * 3600)
GP3_GIB_MONTH = Decimal("0.08")
PUBLIC_ADDRESS_HOUR = Decimal("0.005")
NAT_GIB = Decimal("0.045")
PUT = Decimal("0.005") / 1000
FREE_WITHIN = timedelta(hours=1)
LEAST = timedelta(seconds=60)


@dataclass
class Traffic:
    """What one machine moved to and from the store."""

    bytes_by_way: dict[str, int] = field(default_factory=dict)
    bytes_by_region: dict[str, int] = field(default_factory=dict)
    puts: int = 0


class Ledger:
    """Lines are made on demand from what moto and the market remember."""

    def __init__(self, market: Market, clock: SandboxClock, reservations: Reservations) -> None:
        self._market, self._clock, self._reservations = market, clock, reservations
        self.traffic: dict[str, Traffic] = {}
        self._disks: dict[str, list[dict[str, Any]]] = {}

    def moved(self, instance: Any, way: str, size: int, *, region: str, put: bool) -> None:
        """A store request of a machine: bytes both ways."""
        traffic = self.traffic.setdefault(instance.id, Traffic())
        traffic.bytes_by_way[way] = traffic.bytes_by_way.get(way, 0) + size
        traffic.bytes_by_region[region] = traffic.bytes_by_region.get(region, 0) + size
        traffic.puts += put

    def lines(self, job: str = "") -> list[dict[str, Any]]:
        """Oldest first; with `job`, only what carries that id or that name."""
        found = [line for instance in self._instances() for line in self._of(instance)]
        found += [self._reserved(one) for one in self._reservations.held.values()]
        return [line for line in found if job in ("", *map(line["labels"].get, ("accelctl:job", "accelctl:name")))]

    def _reserved(self, one: Reservation) -> dict[str, Any]:
        """The fee of a block, at once; of another reservation what stands empty."""
        now = self._clock.now()
        end = min(one.closed or now, now) if one.fee is None else one.end or now
        common = {"resource": one.id, "labels": dict(one.labels), "from": one.start.isoformat(), "to": end.isoformat()}
        if one.fee is not None:
            return common | {"kind": BLOCK, "usd": one.fee}
        inside = [each for each in self._instances() if reserved_in(each) == one.id]
        used = sum((overlap(born(each), ended(each) or now, one.start, end) for each in inside), timedelta(0))
        empty = Decimal(((end - one.start) * one.count - used).total_seconds()) / 3600
        return common | {"kind": "reservation", "usd": on_demand(one.pool[0]) * empty}

    def _instances(self) -> list[Any]:
        backends = list(ec2_backends[DEFAULT_ACCOUNT_ID].values())
        all_of_them = [one for backend in backends for one in backend.all_instances()]
        return sorted((one for one in all_of_them if hasattr(one, "sandbox_launched_at")), key=born)

    def _of(self, instance: Any) -> Iterator[dict[str, Any]]:
        start, end = born(instance), ended(instance) or self._clock.now()
        start, end = start.replace(microsecond=0), end.replace(microsecond=0)
        common = {
            "resource": instance.id,
            "labels": labels_of(instance),
            "from": start.isoformat(),
            "to": end.isoformat(),
        }
        hours = Decimal((end - start).total_seconds()) / 3600
        yield common | {"kind": "machine", "usd": self._machine(instance, start, end)}
        gib = Decimal(getattr(instance, "sandbox_disk_gib", 0))
        yield common | {"kind": "disk", "usd": gib * GP3_GIB_MONTH * hours * 3600 / MONTH}
        yield common | {"kind": "network", "usd": self._network(instance, hours)}
        yield common | {"kind": "store", "usd": PUT * self.traffic.get(instance.id, Traffic()).puts}

    def _machine(self, instance: Any, start: datetime, end: datetime) -> Decimal:
        taken_back = instance.state_reason and instance.state_reason.code == INTERRUPTED[0]
        if taken_back and end - start < FREE_WITHIN:
            return Decimal(0)
        if instance.lifecycle == BLOCK:
            return Decimal(0)
        billed = max(end, start + LEAST)
        if instance.lifecycle != "spot":
            return on_demand(instance.instance_type) * Decimal((billed - start).total_seconds()) / 3600
        spans = self._market.between(pool_of(instance), start, billed)
        return sum((price * Decimal((b - a).total_seconds()) / 3600 for a, b, price in spans), Decimal(0))

    def _network(self, instance: Any, hours: Decimal) -> Decimal:
        traffic = self.traffic.get(instance.id, Traffic())
        address = PUBLIC_ADDRESS_HOUR * hours if getattr(instance, "sandbox_public", None) else Decimal(0)
        nat = NAT_GIB * traffic.bytes_by_way.get("nat", 0) / GIB
        left = (
            between_regions(instance.region_name, region) * size for region, size in traffic.bytes_by_region.items()
        )
        return address + nat + sum(left, Decimal(0)) / GIB


def born(instance: Any) -> datetime:
    return instance.sandbox_launched_at


def ended(instance: Any) -> datetime | None:
    return getattr(instance, "sandbox_ended_at", None)


def overlap(start: datetime, end: datetime, since: datetime, until: datetime) -> timedelta:
    return max(min(end, until) - max(start, since), timedelta(0))
