"""The interface to a cloud: five methods, and small Protocols for what only some callers need.

Errors are those of `provisioner.errors`; each cloud translates its raw codes at one door.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, Self

from provisioner.domain.estate import Holding, Look, Series
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Grant
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.leftovers import Leftover, Prepaid
from provisioner.domain.machines import MachineType
from provisioner.domain.offerings import Offering, Requirements
from provisioner.errors import AccelctlError, CloudError, CredentialsRefused, PermissionDenied, Refused

NOWHERE = ""
"""The region of what belongs to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How clouds differ, declared; each is held by a contract test."""

    idempotent_launch: bool
    """The same token buys once."""
    labels_in_create: bool
    atomic_gang: bool
    """`count` instances or none."""
    notice: timedelta
    """What the cloud gives between its announcement and the end."""
    stop_keeps_billing: bool
    free_when_interrupted_within: timedelta = timedelta(0)
    """A machine that the cloud takes back within this time of its launch costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRequest:
    """What a job's machines may do, and nothing else."""

    name: str
    job: str
    labels: Mapping[str, str]
    store: str
    """Address of the job store, such as s3://bucket."""
    read: Sequence[str]
    """Keys in the store that may be read, beside the job's own prefix."""
    access: Sequence[Grant] = ()
    secrets: Sequence[str] = ()
    """References such as ssm:/path or secretsmanager:arn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """The price per hour from `at` on."""

    at: datetime
    price_per_hour: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One thing that `setup` made or found; `made` is False where it was there, and `stack` says whose it is then."""

    kind: str
    id: str
    region: str
    made: bool
    updated: bool = False
    """It was there, as an earlier version made it; now it is as this one does."""
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStore:
    """Where job records live."""

    url: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose credentials these are."""

    account: str
    name: str
    """Short and fit for a label: the user, or the session of a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit of the account in one region."""

    name: str
    code: str
    limit: float
    unit: str


class Sold(tuple[Offering, ...]):
    """What can be bought; `refused` is what the regions may have that could not be asked."""

    refused: tuple[Refused, ...]

    def __new__(cls, offerings: Iterable[Offering] = (), refused: Iterable[Refused] = ()) -> Self:
        made = super().__new__(cls, offerings)
        made.refused = tuple(refused)
        return made


def silent(region: str, why: CloudError, wanted: Requirements) -> list[Refused]:
    """What a region refuses that cannot be asked: everything, for the time being."""
    return [
        Refused(region=region, zone="", instance_type=kind, capacity_type=capacity, code=why.code or "no-answer",
                message=why.message)
        for kind in wanted.instance_types for capacity in wanted.capacity_types
    ]  # fmt: skip


class CloudProvider(Protocol):
    """What every cloud can do."""

    @property
    def name(self) -> str: ...

    @property
    def traits(self) -> Traits: ...

    def offerings(self, wanted: Requirements) -> Sold:
        """What this account can buy now in the prepared regions, priced, in no particular order.

        A region that cannot be asked is refused by name; raises CloudError where that is so of all.
        """
        ...

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """`request.count` instances, all or none; idempotent by token, labelled in the create call.

        Raises InsufficientCapacity (with every offering that refused), QuotaExceeded, PermissionDenied,
        RateLimited or CloudUnavailable (ask again with the same token), ConfigError.
        """
        ...

    def get(self, instance_id: str, *, region: str) -> Instance:
        """Raises InstanceNotFound once it is gone, and for the first moments of a new one.

        One that has ended is known for longer than its labels are.
        """
        ...

    def list_owned(self, labels: Mapping[str, str], *, regions: Iterable[str] = ()) -> Iterator[Instance]:
        """Instances of ours with these labels too, terminated ones while the cloud remembers their labels; every page.

        All prepared regions unless some are named.
        """
        ...

    def terminate(self, instance_id: str, *, region: str) -> None:
        """Asks for the end; already gone is success."""
        ...


class DescribesMachines(Protocol):
    """Knows types that the catalog lacks."""

    def describe_machine(self, instance_type: str, *, regions: Iterable[str] = ()) -> MachineType | None:
        """None where the cloud does not know the type either: in those regions, or where jobs may run."""
        ...


class KnowsReferences(Protocol):
    """Knows whether what a job names is there."""

    def dangling(self, secrets: Mapping[str, str], access: Iterable[Grant], *, region: str) -> Iterator[str]:
        """In words, those that lead nowhere; secrets are kept in `region`. What nobody may look at is left out."""
        ...


class GivesIdentity(Protocol):
    """Makes the identity that a job's machines carry."""

    def make_identity(self, identity: IdentityRequest) -> None:
        """Idempotent; returns once it is made (its use may lag: launch retries for that)."""
        ...

    def remove_identity(self, name: str) -> None:
        """Already gone is success."""
        ...


class KeepsConsole(Protocol):
    """Remembers what a machine printed while it booted."""

    def console_output(self, instance_id: str, *, region: str) -> str:
        """Empty where the cloud has none (yet)."""
        ...


class ChecksHealth(Protocol):
    """Looks at machines from outside."""

    def is_healthy(self, instance_id: str, *, region: str) -> bool | None:
        """Whether the cloud's own checks of a running machine pass; None where it does not tell."""
        ...


class KnowsPrices(Protocol):
    """Remembers what was charged."""

    def price_history(self, offering: Offering, start: datetime, end: datetime) -> Sequence[PriceChange]:
        """Oldest first; the first entry is the price in effect at `start`. Empty: unknown."""
        ...


class KnowsQuotas(Protocol):
    """Knows the limits of the account that a launch can meet."""

    def quotas(self, region: str) -> Sequence[Quota]: ...


class PreparesRegion(Protocol):
    """Makes, once per region, what jobs need."""

    def prepare(self, region: str, *, way: str = "") -> Sequence[Prepared]:
        """Idempotent and labelled. `way` is one of WayKind, or empty for the free ones."""
        ...

    def prepared_regions(self) -> Sequence[str]: ...

    def regions(self) -> Sequence[str]:
        """Every region that the account may use."""
        ...

    def inhabited_regions(self, *, everybodys: bool = False) -> Iterator[str]:
        """Those that a setup was begun in, and every other one that holds something of ours or does not answer.

        With `everybodys` every one that the account may use. Raises Unseen after the prepared ones where nobody may
        list the others.
        """
        ...

    def zones(self, region: str) -> Sequence[str]:
        """Those of an enabled region that machines can be bought in."""
        ...

    def job_store(self) -> JobStore | None:
        """None before the first `setup`."""
        ...

    def store_credentials(self) -> object | None:
        """An obstore credential provider for the job store; None where the store's own chain will do."""
        ...

    def default_region(self) -> str:
        """The credentials' own. Raises ConfigError where none is set."""
        ...

    def caller(self) -> Caller: ...


class MeasuresUtilisation(Protocol):
    """Knows what machines did, how they are held, and what time it is where they are."""

    def time(self) -> datetime:
        """The cloud's own: ages and marks never depend on the clock of whoever looks."""
        ...

    def holdings(self, region: str, *, everybodys: bool = False, only: Sequence[str] = ()) -> Iterator[Holding]:
        """Every machine of ours that is there, or everybody's; every page. `only` these ids (200 at most), or all."""
        ...

    def utilisation(self, region: str, look: Look, now: datetime) -> Mapping[str, tuple[Series, ...]]:
        """By instance, the highest value of the window. What was not measured is absent."""
        ...


class SeesSessions(Protocol):
    """Knows where somebody works by hand."""

    def attended(self, region: str) -> frozenset[str]:
        """Ids of machines with a session open, as far as the cloud itself carries it. Raises CloudError."""
        ...


class PublishesMetrics(Protocol):
    """Keeps figures of ours where alarms can watch them."""

    def publish(self, values: Mapping[str, float]) -> None: ...


class Notifies(Protocol):
    """Brings messages to people."""

    def notify(self, topic: str, subject: str, text: str, about: Mapping[str, str]) -> None:
        """`about` is what a subscription may filter by. Raises CloudError, ConfigError."""
        ...


Refusals = Mapping[str, AccelctlError]
"""Why, by id, of those to whom it could not be done; InstanceNotFound of one that is gone. All others are done."""


ALONE = 5
"""So many who are refused one by one for want of a permission, and nobody to whom it was done: it is everybody's."""


def everybodys(heard: Mapping[str, AccelctlError | None]) -> AccelctlError | None:
    """What all the others would hear too, by what some heard (None: done); None where each has to be asked."""
    refusals = list(heard.values())
    if strangers := [one for one in refusals if isinstance(one, CredentialsRefused)]:
        return strangers[0]
    denied = [one for one in refusals if isinstance(one, PermissionDenied)]
    return denied[-1] if len(denied) >= ALONE and None not in refusals else None


class ReapsInstances(Protocol):
    """Marks machines, and sends them home in the way that stops their bill: many at once, each with its own outcome."""

    def relabel(self, region: str, ids: Sequence[str], key: str, value: str | None) -> Refusals:
        """Sets one label; None takes it off."""
        ...

    def stop(self, region: str, ids: Sequence[str]) -> Refusals:
        """Already stopped is success."""
        ...

    def end(self, region: str, ids: Sequence[str]) -> Refusals:
        """Terminates; already terminated is success."""
        ...

    def scale_in(self, region: str, ids: Sequence[str]) -> Refusals:
        """Members of groups, each with its place in its group. HeldByOwner where the group's minimum would break."""
        ...

    def cancel_requests(self, region: str, ids: Sequence[str]) -> Refusals:
        """Requests that would launch their machine again: they go before it."""
        ...


class FindsUnused(Protocol):
    """Finds what nothing uses and no teardown of ours would remove."""

    def unused(self, region: str, *, everybodys: bool = False) -> Iterator[Leftover]:
        """Schedules of ours whose machines are gone; with `everybodys`, what others forgot as well."""
        ...


class FindsLeftovers(Protocol):
    """Finds and removes what belongs to a job, or everything that is ours."""

    def leftovers(
        self, *, job: str = "", data: bool = False, regions: Iterable[str] | None = None
    ) -> Iterator[Leftover]:
        """By label or by name, every kind, every page. With `data`, the bucket as well.

        In every inhabited region (a job's: in every prepared one), or in these alone, and what is in no region. Raises
        Unseen after everything that can be seen, where a region cannot be looked at; the bucket is not offered then.
        """
        ...

    def beside_machines(self, region: str) -> Iterator[Leftover]:
        """Of one region, for whoever has listed its machines already; of no region ('') what belongs to none."""
        ...

    def stacks(self, *, beside: Collection[str] = ()) -> Iterator[Leftover]:
        """What Pulumi stacks own of ours, by its label: left to `pulumi destroy`. Raises Unseen as `leftovers`.

        `beside` are regions that are not asked.
        """
        ...

    def prepaid(self, *, job: str = "", beside: Collection[str] = ()) -> Iterator[Prepaid]:
        """What stays whatever is removed. `beside` are regions that are not asked. Raises Unseen as `leftovers`."""
        ...

    def remove(self, leftover: Leftover) -> None:
        """Re-checks that it is ours; already gone is success; raises CloudError where the cloud refuses."""
        ...
