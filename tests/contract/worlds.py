"""Clouds under the contract: each with the knobs by which a test makes it behave badly."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clock import Clock, ManualClock, SystemClock
from provisioner.clouds.aws import Aws
from provisioner.clouds.base import (
    CloudProvider,
    FindsLeftovers,
    GivesIdentity,
    IdentityRequest,
    KeepsConsole,
    KnowsPrices,
    PreparesRegion,
)
from provisioner.clouds.fake import FakeCloud
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import CapacityType, Offering, Pool, Requirements
from provisioner.sandbox.client import ask

TYPE = "p4d.24xlarge"
REGION = "us-east-1"
SLEEPER = "#!/bin/sh\nexec sleep 300\n"
IDENTITY = "accelctl-contract"


class Rented(CloudProvider, GivesIdentity, KeepsConsole, KnowsPrices, PreparesRegion, FindsLeftovers, Protocol):
    """What every cloud here offers."""


class World(Protocol):
    """One cloud and its knobs."""

    @property
    def cloud(self) -> Rented: ...

    @property
    def clock(self) -> Clock: ...

    def leave(self, pool: Pool, machines: int | None) -> None:
        """How many machines can still be had there; None is as many as anybody wants."""
        ...

    def reprice(self, pool: Pool, price: Decimal) -> None: ...

    def interrupt(self, instance_id: str) -> None: ...

    def pass_time(self, duration: timedelta) -> None: ...


class FakeWorld:
    """In memory, with a clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 1, 5, 12, tzinfo=UTC))
        self.cloud = FakeCloud(clock=self.clock)
        self.leave, self.reprice, self.interrupt = self.cloud.set_capacity, self.cloud.set_price, self.cloud.interrupt
        self.pass_time = self.clock.advance


class AwsWorld:
    """AWS on the sandbox, by the sandbox's own knobs."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.cloud = Aws(clock=self.clock, region=REGION)

    def leave(self, pool: Pool, machines: int | None) -> None:
        count = "1000" if machines is None else str(machines)
        ask("capacity", type=pool.instance_type, zone=pool.zone, count=count)

    def reprice(self, pool: Pool, price: Decimal) -> None:
        ask("price", type=pool.instance_type, zone=pool.zone, usd=str(price))

    def interrupt(self, instance_id: str) -> None:
        ask("interrupt", instance=instance_id, notice="0")

    def pass_time(self, duration: timedelta) -> None:
        ask("clock", advance=str(duration.total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One test's own job on a cloud."""

    world: World
    id: str

    @property
    def labels(self) -> dict[str, str]:
        return labels.ours(job=self.id, name="contract", owner="tester")

    def offerings(self, *zones: str) -> tuple[Offering, ...]:
        """Spot, cheapest first, in those zones."""
        wanted = Requirements(instance_types=(TYPE,), regions=(REGION,))
        found = [offering for offering in self.world.cloud.offerings(wanted) if offering.zone in zones]
        return tuple(sorted(found, key=lambda offering: offering.price_per_hour or Decimal(0)))

    def request(self, *zones: str, count: int = 1, token: str = "", user_data: str = SLEEPER) -> LaunchRequest:
        return LaunchRequest(
            token=token or f"{self.id}-1-1", offerings=self.offerings(*zones), labels=self.labels, user_data=user_data,
            identity=IDENTITY, disk_gib=20, count=count,
        )  # fmt: skip

    def identity(self) -> IdentityRequest:
        return IdentityRequest(
            name=f"accelctl-{self.id}", job=self.id, labels=self.labels, store="s3://accelctl-store", read=()
        )


def pool_in(zone: str) -> Pool:
    return Pool(region=REGION, zone=zone, instance_type=TYPE, capacity_type=CapacityType.SPOT)
