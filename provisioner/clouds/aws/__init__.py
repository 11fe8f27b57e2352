"""AWS by boto3: this file only assembles the parts."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from provisioner.clock import Clock
from provisioner.clouds.aws.attendance import attended
from provisioner.clouds.aws.describe import Machines
from provisioner.clouds.aws.estate import holdings
from provisioner.clouds.aws.groups import scale_in
from provisioner.clouds.aws.identity import Identities
from provisioner.clouds.aws.inhabited import inhabited
from provisioner.clouds.aws.instances import Instances
from provisioner.clouds.aws.inventory import Inventory
from provisioner.clouds.aws.launch import Launches
from provisioner.clouds.aws.messages import notify
from provisioner.clouds.aws.metrics import Utilisation, publish
from provisioner.clouds.aws.network import Networks
from provisioner.clouds.aws.offerings import Offerings
from provisioner.clouds.aws.prepaid import prepaid
from provisioner.clouds.aws.quotas import quotas
from provisioner.clouds.aws.references import References
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.aws.store import BucketStore
from provisioner.clouds.aws.store_keys import StoreKeys
from provisioner.clouds.aws.unused import forgotten, pointless
from provisioner.clouds.base import (
    Caller,
    IdentityRequest,
    JobStore,
    Prepared,
    PriceChange,
    Quota,
    Refusals,
    Sold,
    Traits,
)
from provisioner.clouds.regions import ELSEWHERE, Unseen, collected, each_region
from provisioner.domain.estate import Holding, Look, Series
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Grant
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.leftovers import Leftover, Prepaid
from provisioner.domain.machines import MachineType
from provisioner.domain.offerings import Offering, Requirements, WayKind
from provisioner.errors import CloudError, ConfigError

TRAITS = Traits(
    idempotent_launch=True, labels_in_create=True, atomic_gang=True, notice=timedelta(minutes=2),
    stop_keeps_billing=False, free_when_interrupted_within=timedelta(hours=1),
)  # fmt: skip


class Aws:
    """One account. Satisfies every Protocol of `provisioner.clouds.base`."""

    name = "aws"
    traits = TRAITS

    def __init__(self, *, clock: Clock, region: str = "", store: str = "", only: Sequence[str] = ()) -> None:
        """`only` are regions that are looked at beside the prepared ones; all that are enabled where none is named."""
        self._only = tuple(only)
        self._clock = clock
        self._sessions = Sessions(region)
        self._store = BucketStore(self._sessions, store)
        self._networks = Networks(self._sessions, clock)
        self._instances = Instances(self._sessions)
        self._identities = Identities(self._sessions)
        self._offerings = Offerings(self._sessions, self._networks, clock)
        self._launches = Launches(self._sessions, self._networks, self._instances, clock)
        self._inventory = Inventory(self._sessions, self._store, self._identities)
        self._machines = Machines(self._sessions, clock)
        self._utilisation = Utilisation(self._sessions)
        self._references = References(self._sessions)

    def offerings(self, wanted: Requirements) -> Sold:
        store = self._store.find()
        regions = [region for region in self.prepared_regions() if not wanted.regions or region in wanted.regions]
        return self._offerings.find(wanted, regions=regions, store_region=store.region if store else "")

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        return self._launches.launch(request)

    def get(self, instance_id: str, *, region: str) -> Instance:
        return self._instances.get(instance_id, region)

    def list_owned(self, labels: Mapping[str, str], *, regions: Iterable[str] = ()) -> Iterator[Instance]:
        for region in tuple(regions) or self.prepared_regions():
            yield from self._instances.owned(labels, region)

    def terminate(self, instance_id: str, *, region: str) -> None:
        self._instances.terminate(instance_id, region)

    def describe_machine(self, instance_type: str, *, regions: Iterable[str] = ()) -> MachineType | None:
        places = tuple(regions) or (self._sessions.region, *self.prepared_regions())
        return self._machines.describe(instance_type, places)

    def dangling(self, secrets: Mapping[str, str], access: Iterable[Grant], *, region: str) -> Iterator[str]:
        return self._references.dangling(secrets, access, region)

    def make_identity(self, identity: IdentityRequest) -> None:
        self._identities.make(identity)

    def remove_identity(self, name: str) -> None:
        self._identities.remove(name)

    def console_output(self, instance_id: str, *, region: str) -> str:
        return self._instances.console(instance_id, region)

    def is_healthy(self, instance_id: str, *, region: str) -> bool | None:
        return self._instances.is_healthy(instance_id, region)

    def price_history(self, offering: Offering, start: datetime, end: datetime) -> Sequence[PriceChange]:
        return self._offerings.history(offering, start, end)

    def quotas(self, region: str) -> Sequence[Quota]:
        return quotas(self._sessions, region)

    def prepare(self, region: str, *, way: str = "") -> Sequence[Prepared]:
        """The bucket and the boundary once, then the region's network, then the mark that it is prepared."""
        store = self._store.make(region)
        if way == WayKind.GATEWAY and store.region != region:
            raise ConfigError(
                f"--way: a gateway leads to a store in its own region only, and {store.id} is in {store.region}.",
                hint="ipv6 costs no more by the hour.",
            )
        ready = region in self._store.prepared_regions()
        if not ready:
            self._store.preparing(region)
        chosen = WayKind(way) if way else None
        things = [store, self._identities.prepare(), *self._networks.prepare(region, chosen, ready=ready)]
        if not ready:
            self._store.mark(region)
        return things

    def prepared_regions(self) -> Sequence[str]:
        return self._store.prepared_regions()

    def regions(self) -> Sequence[str]:
        return self._sessions.regions

    def inhabited_regions(self, *, everybodys: bool = False) -> Iterator[str]:
        known = sorted({*self._store.marked_regions(), *self._only})
        yield from known
        if self._only:
            return
        try:
            others = sorted(set(self._sessions.regions) - set(known))
        except CloudError as refusal:
            raise Unseen({ELSEWHERE: refusal}) from refusal
        yield from others if everybodys else inhabited(self._sessions, others)

    def zones(self, region: str) -> Sequence[str]:
        return self._sessions.zones(region)

    def job_store(self) -> JobStore | None:
        return self._store.find()

    def store_credentials(self) -> object | None:
        return StoreKeys(self._sessions.session, self._clock)

    def default_region(self) -> str:
        return self._sessions.region

    def caller(self) -> Caller:
        return self._sessions.caller

    def time(self) -> datetime:
        return self._sessions.time()

    def holdings(self, region: str, *, everybodys: bool = False, only: Sequence[str] = ()) -> Iterator[Holding]:
        return holdings(self._sessions, region, everybodys=everybodys, only=only)

    def utilisation(self, region: str, look: Look, now: datetime) -> Mapping[str, tuple[Series, ...]]:
        return self._utilisation.read(region, look, now)

    def attended(self, region: str) -> frozenset[str]:
        return attended(self._sessions, region)

    def requests(self) -> Mapping[str, int]:
        return dict(sorted(self._sessions.allowance.asked.items()))

    def publish(self, values: Mapping[str, float]) -> None:
        publish(self._sessions, values)

    def notify(self, topic: str, subject: str, text: str, about: Mapping[str, str]) -> None:
        notify(self._sessions, topic, subject, text, about)

    def relabel(self, region: str, ids: Sequence[str], key: str, value: str | None) -> Refusals:
        return self._instances.relabel(region, ids, key, value)

    def stop(self, region: str, ids: Sequence[str]) -> Refusals:
        return self._instances.stop(region, ids)

    def end(self, region: str, ids: Sequence[str]) -> Refusals:
        return self._instances.end(region, ids)

    def scale_in(self, region: str, ids: Sequence[str]) -> Refusals:
        return scale_in(self._sessions, self._instances, region, ids)

    def cancel_requests(self, region: str, ids: Sequence[str]) -> Refusals:
        return self._instances.cancel_requests(region, ids)

    def stacks(self, *, beside: Collection[str] = ()) -> Iterator[Leftover]:
        places, unlisted = collected(self.inhabited_regions())
        known = () if self._only or unlisted else self._sessions.regions
        others = sorted({*known} - {*places, *beside})
        return self._inventory.stacks(sorted({*places} - set(beside)), others=others)

    def prepaid(self, *, job: str = "", beside: Collection[str] = ()) -> Iterator[Prepaid]:
        places = (region for region in self.inhabited_regions() if region not in beside)
        return each_region(lambda region: prepaid(self._sessions, region, job), places)

    def leftovers(
        self, *, job: str = "", data: bool = False, regions: Iterable[str] | None = None
    ) -> Iterator[Leftover]:
        """A job's are in prepared regions alone."""
        everywhere = self._store.marked_regions() if job else self.inhabited_regions()
        return self._inventory.leftovers(job=job, regions=everywhere if regions is None else regions, data=data)

    def beside_machines(self, region: str) -> Iterator[Leftover]:
        return self._inventory.beside_machines(region)

    def unused(self, region: str, *, everybodys: bool = False) -> Iterator[Leftover]:
        yield from pointless(self._sessions, region)
        if everybodys:
            yield from forgotten(self._sessions, region)

    def remove(self, leftover: Leftover) -> None:
        self._inventory.remove(leftover)
