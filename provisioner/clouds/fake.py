"""A cloud in memory, held to the interface by the same contract tests as the real ones. Knobs make it fail.

Thread-safe: every method holds one lock, so that a race between callers is a race of callers, never of the fake.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count

from provisioner.catalog.labels import JOB, ours
from provisioner.clock import Clock
from provisioner.clouds.base import (
    NOWHERE,
    Caller,
    IdentityRequest,
    JobStore,
    Prepared,
    PriceChange,
    Sold,
    Traits,
    silent,
)
from provisioner.clouds.fake_faults import Faults, faulty, no_answer
from provisioner.clouds.fake_market import HOME, ZONES, market, pool_of, way_of
from provisioner.clouds.regions import each_region
from provisioner.domain.instances import EndCause, Instance, InstanceState
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.leftovers import Leftover, Prepaid
from provisioner.domain.offerings import CapacityType, Offering, Pool, Requirements
from provisioner.errors import AccelctlError, ConfigError, InstanceNotFound, InsufficientCapacity, Refused, TokenReused

NOTHING = timedelta(0)
LABELS_KEPT = timedelta(minutes=10)
"""Of a machine that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rental:
    """One machine that the fake let; `instance` is as it was at launch until it ends."""

    instance: Instance
    request: LaunchRequest
    console: str = ""


class FakeCloud:
    """CloudProvider and every extra, in memory.

    Knobs: `set_capacity`, `set_price`, `fail_next`, `interrupt`, `lose`, `impair`, `shut_down`, `say`, `visible_after`,
    `boots_in`, `dies_in`, `down` (regions that do not answer). `calls` counts calls by method, `peak` the most machines
    of a job that were alive at once. With `traits.idempotent_launch` False a token is ignored.
    """

    name = "fake"

    def __init__(
        self, *, clock: Clock, zones: Mapping[str, Sequence[str]] = ZONES, prepared: Iterable[str] | None = None
    ) -> None:
        self.lock = threading.RLock()
        self.calls = Counter[str]()
        self.peak = Counter[str]()
        self.faults = Faults()
        self.identities: dict[str, IdentityRequest] = {}
        self.visible_after = NOTHING
        self.down = set[str]()
        self.boots_in = NOTHING
        self.dies_in = NOTHING
        self.traits = Traits(
            idempotent_launch=True, labels_in_create=True, atomic_gang=True, notice=timedelta(minutes=2),
            stop_keeps_billing=False, free_when_interrupted_within=timedelta(hours=1),
        )  # fmt: skip
        self._clock = clock
        self._places = zones
        self.published: list[dict[str, float]] = []
        self._prepared = list(zones if prepared is None else prepared)
        self._rentals: dict[str, Rental] = {}
        self._impaired = set[str]()
        self._numbers = count(1)
        self._capacity: dict[Pool, int] = {}
        self._history: dict[Pool, list[PriceChange]] = {pool: [first] for pool, first in market(zones, clock.now())}

    # knobs ------------------------------------------------------------------------------------------------------------

    def set_capacity(self, pool: Pool, machines: int | None) -> None:
        """How many more can be had; None is no limit."""
        with self.lock:
            self._capacity.pop(pool, None)
            if machines is not None:
                self._capacity[pool] = machines

    def set_price(self, pool: Pool, price: Decimal | None) -> None:
        """From now on; the history keeps the change. None: nothing is known of it any more."""
        with self.lock:
            change = PriceChange(at=self._clock.now(), price_per_hour=price) if price is not None else None
            self._history[pool] = [*self._history[pool], change] if change else []

    def fail_next(self, method: str, *errors: AccelctlError, after: bool = False) -> None:
        """The next calls of `method` raise these in turn; with `after`, only once the call has taken effect."""
        with self.lock:
            (self.faults.after if after else self.faults.before)[method].extend(errors)

    def interrupt(self, instance_id: str) -> None:
        """The cloud takes the machine back, now."""
        self.end(instance_id, EndCause.INTERRUPTED, "Server.SpotInstanceTermination")

    def shut_down(self, instance_id: str) -> None:
        """The machine powers itself off, now."""
        self.end(instance_id, EndCause.SHUT_DOWN, "Client.InstanceInitiatedShutdown")

    def lose(self, instance_id: str) -> None:
        """The cloud forgets the machine: neither listed nor described any more."""
        with self.lock:
            del self._rentals[instance_id]

    def impair(self, instance_id: str) -> None:
        """Its status checks fail from now on."""
        with self.lock:
            self._impaired.add(instance_id)

    def say(self, instance_id: str, text: str) -> None:
        """What the machine prints on its console."""
        with self.lock:
            self._rentals[instance_id] = replace(self._rentals[instance_id], console=text)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every machine that was let and not lost, as it is now, hidden or not."""
        with self.lock:
            return tuple(self._now(rental.instance) for rental in self._rentals.values())

    def request_of(self, instance_id: str) -> LaunchRequest:
        with self.lock:
            return self._rentals[instance_id].request

    # CloudProvider ----------------------------------------------------------------------------------------------------

    @faulty
    def offerings(self, wanted: Requirements) -> Sold:
        asked = [region for region in self.prepared_regions() if not wanted.regions or region in wanted.regions]
        if asked and self.down.issuperset(asked):
            raise no_answer(asked[0])
        refused = [row for region in asked if region in self.down for row in silent(region, no_answer(region), wanted)]
        return Sold((
            self._offering(pool)
            for pool in self._history
            if pool.region in asked and pool.region not in self.down
            and pool.instance_type in wanted.instance_types
            and pool.capacity_type in wanted.capacity_types
            and (not wanted.zones or pool.zone in wanted.zones)
        ), refused)  # fmt: skip

    @faulty
    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        if self.traits.idempotent_launch and (bought := self._bought(request)):
            return bought
        if request.identity and request.identity not in self.identities:
            raise ConfigError(f"identity: there is no '{request.identity}'.", hint="make it first.")
        refused: list[Refused] = []
        for offering in request.offerings:
            self._reach([offering.region])
            if refusal := self._refusal(offering, request):
                refused.append(refusal)
            else:
                return self._let(offering.pool, request)
        raise InsufficientCapacity("no capacity in any of the offerings.", refused=refused, code=refused[-1].code)

    @faulty
    def get(self, instance_id: str, *, region: str) -> Instance:
        rental = self._rentals.get(instance_id)
        if rental is None or rental.instance.region != region or not self._visible(rental.instance):
            raise InstanceNotFound(
                f"there is no machine '{instance_id}' in {region}.", code="InvalidInstanceID.NotFound"
            )
        return self._now(rental.instance)

    @faulty
    def list_owned(self, labels: Mapping[str, str], *, regions: Iterable[str] = ()) -> Iterator[Instance]:
        wanted, places = ours() | dict(labels), tuple(regions) or tuple(self._prepared)
        self._reach(places)
        return iter(
            [
                self._now(rental.instance)
                for rental in self._rentals.values()
                if rental.instance.region in places
                and wanted.items() <= dict(self._now(rental.instance).labels).items()
                and self._visible(rental.instance)
            ]
        )

    @faulty
    def terminate(self, instance_id: str, *, region: str) -> None:
        rental = self._rentals.get(instance_id)
        if rental is not None and rental.instance.region == region:
            self.end(instance_id, EndCause.TERMINATED, "Client.UserInitiatedShutdown")

    # extras -----------------------------------------------------------------------------------------------------------

    @faulty
    def make_identity(self, identity: IdentityRequest) -> None:
        self.identities[identity.name] = identity

    @faulty
    def remove_identity(self, name: str) -> None:
        self.identities.pop(name, None)

    @faulty
    def console_output(self, instance_id: str, *, region: str) -> str:
        rental = self._rentals.get(instance_id)
        return rental.console if rental is not None and rental.instance.region == region else ""

    @faulty
    def is_healthy(self, instance_id: str, *, region: str) -> bool | None:
        rental = self._rentals.get(instance_id)
        return None if rental is None or rental.instance.region != region else instance_id not in self._impaired

    @faulty
    def price_history(self, offering: Offering, start: datetime, end: datetime) -> Sequence[PriceChange]:
        changes = [change for change in self._history.get(offering.pool, []) if change.at < end]
        before = [change for change in changes if change.at <= start]
        return [*before[-1:], *(change for change in changes if change.at > start)]

    @faulty
    def prepare(self, region: str, *, way: str = "") -> Sequence[Prepared]:
        made = region not in self._prepared
        if made:
            self._prepared.append(region)
        return [Prepared(kind="network", id=f"network-{region}-{way or 'free'}", region=region, made=made)]

    def regions(self) -> Sequence[str]:
        return tuple(self._places)

    def inhabited_regions(self, *, everybodys: bool = False) -> Iterator[str]:
        return iter(self.regions() if everybodys else self.prepared_regions())

    def zones(self, region: str) -> Sequence[str]:
        return self._places.get(region, ())

    def requests(self) -> Mapping[str, int]:
        return {}

    def publish(self, values: Mapping[str, float]) -> None:
        self.published.append(dict(values))

    def prepared_regions(self) -> Sequence[str]:
        with self.lock:
            return tuple(self._prepared)

    def job_store(self) -> JobStore | None:
        return JobStore(url="memory://", region=HOME) if self._prepared else None

    def store_credentials(self) -> None:
        """The memory needs none."""

    def default_region(self) -> str:
        return HOME

    def caller(self) -> Caller:
        return Caller(account="000000000000", name="nobody")

    @faulty
    def leftovers(
        self, *, job: str = "", data: bool = False, regions: Iterable[str] | None = None
    ) -> Iterator[Leftover]:
        del data  # this cloud's store is memory: there is no bucket
        places = tuple(self._prepared if regions is None else regions)
        return each_region(partial(self._left_in, job), [*places, NOWHERE])  # taken up outside the lock

    def _left_in(self, job: str, region: str) -> list[Leftover]:
        self._reach([region])
        rented = [
            Leftover(kind="instance", id=instance.id, region=instance.region, labels=instance.labels, order=0,
                     price_per_hour=self._history[pool_of(instance)][-1].price_per_hour, state=instance.state)
            for instance in self.instances
            if instance.region == region and instance.alive and job in ("", instance.labels.get(JOB))
        ]  # fmt: skip
        made = [one for one in tuple(self.identities.items()) if region == NOWHERE and job in ("", one[1].job)]
        identities = [Leftover(kind="identity", id=name, region="", labels=one.labels, order=1) for name, one in made]
        networks = [
            Leftover(kind="network", id=f"network-{region}", region=region, labels=ours(kind="network"), order=2)
            for region in (() if job or region == NOWHERE else (region,))
        ]
        return [*rented, *identities, *networks]

    def beside_machines(self, region: str) -> Iterator[Leftover]:
        return (one for one in self.leftovers() if one.region == region and one.kind != "instance")

    def stacks(self, *, beside: Collection[str] = ()) -> Iterator[Leftover]:
        del beside  # nothing here belongs to one
        return iter(())

    def prepaid(self, *, job: str = "", beside: Collection[str] = ()) -> Iterator[Prepaid]:
        del job, beside  # nobody sells it here
        return iter(())

    @faulty
    def remove(self, leftover: Leftover) -> None:
        match leftover.kind:
            case "instance":
                self.terminate(leftover.id, region=leftover.region)
            case "identity":
                self.identities.pop(leftover.id, None)
            case "network" if leftover.region in self._prepared:
                self._prepared.remove(leftover.region)
            case _:
                return

    # within -----------------------------------------------------------------------------------------------------------

    def _reach(self, regions: Iterable[str]) -> None:
        for region in regions:
            if region in self.down:
                raise no_answer(region)

    def _bought(self, request: LaunchRequest) -> list[Instance]:
        same = [rental for rental in self._rentals.values() if rental.request.token == request.token]
        if any(rental.request != request for rental in same):
            raise TokenReused("the token was used for another purchase.", code="IdempotentParameterMismatch")
        return [self._now(rental.instance) for rental in same]

    def _refusal(self, offering: Offering, request: LaunchRequest) -> Refused | None:
        code, lasting, pool = "", False, offering.pool
        if pool not in self._history:
            code, lasting = "Unsupported", True
        elif self._capacity.get(pool, request.count) < request.count:
            code = "InsufficientInstanceCapacity"
        elif request.max_price is not None and self._history[pool][-1].price_per_hour > request.max_price:
            code = "SpotMaxPriceTooLow"
        if not code:
            return None
        return Refused(
            region=pool.region, zone=pool.zone, instance_type=pool.instance_type, capacity_type=pool.capacity_type,
            code=code, message=f"{code}: {pool.instance_type} in {pool.zone}", lasting=lasting,
        )  # fmt: skip

    def _let(self, pool: Pool, request: LaunchRequest) -> list[Instance]:
        if pool in self._capacity:
            self._capacity[pool] -= request.count
        let = [self._new(pool, request) for _ in range(request.count)]
        self._rentals |= {instance.id: Rental(instance=instance, request=request) for instance in let}
        job = request.labels.get(JOB, "")
        alive = sum(one.alive and one.labels.get(JOB, "") == job for one in self.instances)
        self.peak[job] = max(self.peak[job], alive)
        return let

    def _new(self, pool: Pool, request: LaunchRequest) -> Instance:
        number = next(self._numbers)
        return Instance(
            id=f"i-{number:08}", cloud=self.name, region=pool.region, zone=pool.zone, instance_type=pool.instance_type,
            capacity_type=pool.capacity_type, state=InstanceState.PENDING, launched_at=self._clock.now(),
            labels=ours() | dict(request.labels), private_address=f"10.0.{number // 256 % 256}.{number % 256}",
        )  # fmt: skip

    def end(self, instance_id: str, cause: EndCause, message: str) -> None:
        """The first end counts; capacity goes back to its pool."""
        with self.lock:
            rental = self._rentals[instance_id]
            if rental.instance.end_cause is not None:
                return
            pool = pool_of(rental.instance)
            if pool in self._capacity:
                self._capacity[pool] += 1
            ended = replace(rental.instance, ended_at=self._clock.now(), end_cause=cause, end_message=message)
            self._rentals[instance_id] = replace(rental, instance=ended)

    def _now(self, instance: Instance) -> Instance:
        """As it is at this moment: states follow from times."""
        now = self._clock.now()
        if (ended := instance.ended_at) is not None:
            labels = dict[str, str]() if now >= ended + LABELS_KEPT else instance.labels
            gone = now >= ended + self.dies_in
            return replace(instance, labels=labels, state=InstanceState.TERMINATED if gone else InstanceState.STOPPING)
        up = now >= instance.launched_at + self.boots_in
        return replace(instance, state=InstanceState.RUNNING if up else InstanceState.PENDING)

    def _visible(self, instance: Instance) -> bool:
        return self._clock.now() >= instance.launched_at + self.visible_after

    def _offering(self, pool: Pool) -> Offering:
        on_demand = Pool(
            region=pool.region, zone=pool.zone, instance_type=pool.instance_type, capacity_type=CapacityType.ON_DEMAND
        )
        return Offering(
            cloud=self.name, region=pool.region, zone=pool.zone, instance_type=pool.instance_type,
            capacity_type=pool.capacity_type, price_per_hour=self._history[pool][-1].price_per_hour,
            on_demand_per_hour=self._history[on_demand][-1].price_per_hour, way=way_of(pool.region),
        )  # fmt: skip
