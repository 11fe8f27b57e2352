"""Takes a job's next steps: observe, decide, act. Any number of processes may do so at once.

Every act is preceded by a write that says what is about to be done; every write is a compare-and-swap that also renews
the lease. Whoever loses the race stops and reads again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clock import Clock
from provisioner.clouds.base import (
    ChecksHealth,
    CloudProvider,
    FindsLeftovers,
    GivesIdentity,
    IdentityRequest,
    KeepsConsole,
    KnowsPrices,
    Sold,
)
from provisioner.domain.costs import Tariff
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Attempt, AttemptState, EndReason, JobRecord, JobState, Lease, Node, Outcome
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import Offering, Requirements
from provisioner.errors import (
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsRefused,
    InsufficientCapacity,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    Refused,
    TokenReused,
)
from provisioner.jobs.accounts import Accounts
from provisioner.jobs.actions import (
    Action,
    Adopt,
    Buy,
    Clean,
    Close,
    Decision,
    Identify,
    Launch,
    Note,
    Observation,
    Rest,
    Survey,
    Terminate,
    Wait,
)
from provisioner.jobs.boarding import UserData, boarding_pass, task
from provisioner.jobs.buying import intended, requirements, with_attempt
from provisioner.jobs.closing import with_refusals
from provisioner.jobs.consoles import Consoles
from provisioner.jobs.decide import decide
from provisioner.jobs.objects import Objects
from provisioner.jobs.observing import Observer
from provisioner.jobs.outcomes import waited_enough
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import Held, LostRace, Records, prefix
from provisioner.jobs.settling import Settling

MOST_ACTIONS = 64
"""Of one step; a job that wants more gets them in the next one."""


class JobCloud(CloudProvider, ChecksHealth, GivesIdentity, KeepsConsole, KnowsPrices, FindsLeftovers, Protocol):
    """What a job needs of its cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """Where a step left the job. `mine` is False where another process acts on it just now."""

    record: JobRecord
    decision: Decision
    wait_until: datetime
    mine: bool = True


class Stepper:
    """Steps the jobs of one store on one cloud. `holder` names this process in leases."""

    def __init__(
        self, *, objects: Objects, cloud: JobCloud, clock: Clock, holder: str, tariff: Tariff, user_data: UserData
    ) -> None:
        self._objects = objects
        self._records = Records(objects)
        self._cloud = cloud
        self._clock = clock
        self._holder = holder
        self._tariff = tariff
        progress, accounts = Progress(objects), Accounts(cloud=cloud, tariff=tariff)
        self._consoles = Consoles(objects, cloud)
        self._observer = Observer(cloud=cloud, progress=progress, accounts=accounts, clock=clock)
        self._settling = Settling(
            cloud=cloud, progress=progress, accounts=accounts, consoles=self._consoles, clock=clock
        )  # fmt: skip
        self._user_data = user_data

    def step(self, job: str) -> Stepped:
        """Acts until there is nothing to do but wait.

        Raises CloudUnavailable or RateLimited where the cloud does not answer (step again later: the intent stands),
        and other CloudErrors where it refuses what is not the job's to mend.
        """
        held, seen = self._records.read(job), None
        market = cache(self._cloud.offerings)
        decision = Decision(action=Rest(), reason="")
        try:
            for _ in range(MOST_ACTIONS):
                if self._led_by_other(held.record):
                    return self._watching(held.record)
                seen = seen or self._observer.observe(held.record)
                decision = self._decide(held.record, seen, market)
                if isinstance(decision.action, Wait):
                    return Stepped(record=held.record, decision=decision, wait_until=decision.action.until)
                if isinstance(decision.action, Rest):
                    return Stepped(record=held.record, decision=decision, wait_until=self._clock.now())
                before, held = held.record, self._act(held, decision.action)
                seen = seen if changed_nothing(decision.action, before, held.record) else None
        except LostRace:
            return self._watching(self._records.read(job).record)
        return Stepped(record=held.record, decision=decision, wait_until=self._clock.now())

    def release(self, job: str) -> None:
        """Gives the lease back, so that the next process need not wait for its end."""
        held = self._records.read(job)
        if held.record.lease is not None and held.record.lease.holder == self._holder:
            try:
                self._records.write(held, replace(held.record, lease=None))
            except LostRace:
                return

    # observe ----------------------------------------------------------------------------------------------------------

    def _led_by_other(self, record: JobRecord) -> bool:
        lease = record.lease
        return lease is not None and lease.holder != self._holder and lease.until > self._clock.now()

    def _watching(self, record: JobRecord) -> Stepped:
        until = self._clock.now() + record.spec.pace.poll_every
        holder = record.lease.holder if record.lease else "another process"
        decision = Decision(action=Wait(until=until), reason=f"{holder} acts on this job")
        return Stepped(record=record, decision=decision, wait_until=until, mine=False)

    def _decide(self, record: JobRecord, seen: Observation, market: Callable[[Requirements], Sold]) -> Decision:
        decision = decide(record, seen, now=self._clock.now(), traits=self._cloud.traits)
        if isinstance(decision.action, Survey):
            sold = market(requirements(record))
            seen = replace(seen, offerings=tuple(sold), refused=sold.refused)
            decision = decide(record, seen, now=self._clock.now(), traits=self._cloud.traits)
        return decision

    # act --------------------------------------------------------------------------------------------------------------

    def _act(self, held: Held, action: Action) -> Held:
        match action:
            case Note(record=record):
                return self._records.write(held, record)
            case Identify():
                return self._identify(held)
            case Buy(offerings=offerings):
                return self._write(held, intended(held.record, offerings, self._tariff, self._clock.now()))
            case Launch(attempt=attempt):
                return self._launch(self._leased(held), attempt)
            case Adopt(attempt=attempt, instances=instances):
                return self._bought(self._leased(held), attempt, instances, at=attempt.intended_at)
            case Terminate(instances=instances, record=record):
                return self._terminate(self._write(held, record), instances)
            case Close():
                return self._close(held, action)
            case Clean():
                held = self._leased(held)
                return self._records.write(held, self._settling.cleaned(held.record))
            case _:
                raise AssertionError(f"{action} is no act")

    def _write(self, held: Held, record: JobRecord) -> Held:
        lease = Lease(holder=self._holder, until=self._clock.now() + record.spec.pace.lease)
        return self._records.write(held, replace(record, lease=lease))

    def _leased(self, held: Held) -> Held:
        """With at least half of a lease ahead."""
        lease = held.record.lease
        enough = self._clock.now() + held.record.spec.pace.lease / 2
        if lease is not None and lease.holder == self._holder and lease.until > enough:
            return held
        return self._write(held, held.record)

    def _close(self, held: Held, close: Close) -> Held:
        attempt = held.record.attempts[-1]
        try:
            return self._write(held, self._settling.closed(held.record, close))
        except CloudError:
            if attempt.unsettled_since is None:
                unsettled = replace(attempt, unsettled_since=self._clock.now())
                self._write(held, with_attempt(held.record, unsettled))
            raise

    def _identify(self, held: Held) -> Held:
        record = held.record
        asked_at = record.identity_asked_at or self._clock.now()
        held = self._write(held, replace(record, identity=f"accelctl-{record.id}", identity_asked_at=asked_at))
        spec = record.spec
        self._objects.put(f"{prefix(record.id)}task.json", task(record.id, spec))
        read = [record.agent.key] + ([spec.workdir.key] if spec.workdir else [])
        request = IdentityRequest(
            name=held.record.identity, job=record.id, labels=self._labels(record), store=record.store,
            read=tuple(read), access=spec.access, secrets=tuple(spec.secrets.values()),
        )  # fmt: skip
        try:
            self._cloud.make_identity(request)
        except CredentialsRefused:
            raise
        except (ConfigError, CloudError) as refusal:
            others = isinstance(refusal, PermissionDenied) and record.identity_asked_at is not None  # who began it may
            patient = self._clock.now() < asked_at + max(spec.max_wait, spec.pace.answer_within)
            if patient and (others or isinstance(refusal, RateLimited | CloudUnavailable)):
                raise
            return self._write(held, hopeless(held.record, refusal))
        return self._write(held, replace(held.record, identity_made=True))

    def _labels(self, record: JobRecord) -> dict[str, str]:
        return labels.ours(
            job=record.id, name=record.spec.name, owner=record.owner, store=record.store, **record.spec.labels
        )

    def _launch(self, held: Held, attempt: Attempt) -> Held:
        record = held.record
        try:
            instances = self._cloud.launch(self._request(record, attempt))
        except InsufficientCapacity as refusal:
            return self._write(held, self._refused(record, list(refusal.refused) or of_region(attempt, refusal)))
        except QuotaExceeded as refusal:
            return self._write(held, self._refused(record, over_quota(attempt, refusal)))
        except CredentialsRefused:
            raise
        except PermissionDenied as refusal:
            if record.tries > 1 and not waited_enough(record, self._clock.now()):
                raise  # who started the job may: whoever steps it just now is not its judge
            return self._write(held, hopeless(record, refusal))
        except TokenReused:
            return self._bought_before(held, attempt)
        except (RateLimited, CloudUnavailable):
            raise
        except (ConfigError, CloudError) as refusal:
            if isinstance(refusal, ConfigError) and len(record.attempts) > 1:  # what is asked for has run: the place
                return self._write(held, self._refused(record, of_region(attempt, refusal)))
            return self._write(held, hopeless(record, refusal))
        return self._bought(held, attempt, tuple(instances), at=self._clock.now())

    def _bought_before(self, held: Held, attempt: Attempt) -> Held:
        """The call was made, and its words have changed since, such as the newest image: what it bought is ours.

        Where nothing is listed once the cloud has had the time, the next try has a token of its own.
        """
        bought = self._cloud.list_owned(
            {labels.TOKEN: attempt.token}, regions={one.region for one in attempt.offerings}
        )
        if found := tuple(bought):
            return self._bought(held, attempt, found, at=attempt.intended_at)
        since = attempt.unlisted_since or self._clock.now()
        if self._clock.now() >= since + held.record.spec.pace.settle:
            return self._write(held, self._refused(held.record, []))
        self._write(held, with_attempt(held.record, replace(attempt, unlisted_since=since)))
        raise CloudUnavailable("a launch was made, and is not listed yet.", hint="step again in a moment.")

    def _request(self, record: JobRecord, attempt: Attempt) -> LaunchRequest:
        more = {
            labels.ATTEMPT: str(attempt.number),
            labels.TOKEN: attempt.token,
            labels.EXPIRES_AT: f"{attempt.deadline:%Y-%m-%dT%H:%M:%SZ}",
        }
        return LaunchRequest(
            token=attempt.token, offerings=attempt.offerings, labels=self._labels(record) | more,
            user_data=self._user_data(boarding_pass(record, attempt)), identity=record.identity,
            disk_gib=record.spec.disk_gib, max_price=record.spec.max_price,
        )  # fmt: skip

    def _refused(self, record: JobRecord, refused: list[Refused]) -> JobRecord:
        """Nothing was bought, so there was no attempt; the wait for capacity begins."""
        now, ran = self._clock.now(), len(record.attempts) > 1
        record = replace(record, attempts=record.attempts[:-1], waiting_since=record.waiting_since or now)
        # A quota that a machine of this job once fitted in is used by others just now, and not too small for good.
        return with_refusals(
            record, [row._replace(lasting=row.lasting and not (ran and not row.zone)) for row in refused], now
        )

    def _bought(self, held: Held, attempt: Attempt, instances: tuple[Instance, ...], *, at: datetime) -> Held:
        """`at` is the moment of the purchase, by our clock."""
        nodes = tuple(
            Node(rank=rank, instance_id=instance.id, private_address=instance.private_address, zone=instance.zone)
            for rank, instance in enumerate(sorted(instances, key=lambda instance: instance.id))
        )
        bought = replace(
            attempt, nodes=nodes, state=AttemptState.BOOTING, offering=offering_of(attempt, instances[0]),
            bought_at=at, launched_at=instances[0].launched_at, unlisted_since=None,
        )  # fmt: skip
        try:
            return self._write(held, with_attempt(held.record, bought))
        except LostRace:
            return self._overtaken(held.record.id, attempt, instances)

    def _overtaken(self, job: str, attempt: Attempt, instances: tuple[Instance, ...]) -> Held:
        """Another process went on while our call was under way: what it does not count as the job's must go."""
        held = self._records.read(job)
        current = held.record.attempt
        if current is None or current.token != attempt.token or current.state is AttemptState.ENDED:
            for instance in instances:
                self._cloud.terminate(instance.id, region=instance.region)
        raise LostRace(job)

    def _terminate(self, held: Held, instances: tuple[Instance, ...]) -> Held:
        """A machine that never reported is asked first what it printed: the cloud soon forgets it."""
        attempt = held.record.attempt
        for instance in instances:
            if attempt is not None and attempt.end_reason is EndReason.BOOT_TIMEOUT:
                self._consoles.keep(held.record.id, attempt, instance)
            self._cloud.terminate(instance.id, region=instance.region)
        return held


def changed_nothing(action: Action, before: JobRecord, after: JobRecord) -> bool:
    """Nothing but the record: what was seen of the cloud still holds. A launch that was refused bought nothing."""
    refused = isinstance(action, Launch) and len(after.attempts) < len(before.attempts)
    return refused or isinstance(action, Note)


def offering_of(attempt: Attempt, instance: Instance) -> Offering | None:
    return next(
        (
            offering
            for offering in attempt.offerings
            if (offering.zone, offering.instance_type) == (instance.zone, instance.instance_type)
        ),
        None,
    )


def over_quota(attempt: Attempt, refusal: QuotaExceeded) -> list[Refused]:
    """A limit of the account holds for as long as the job lives."""
    return [row._replace(lasting=True) for row in of_region(attempt, refusal)]


def of_region(attempt: Attempt, refusal: CloudError | ConfigError) -> list[Refused]:
    """A refusal that holds for the whole region."""
    pools = {(offering.region, offering.instance_type, offering.capacity_type) for offering in attempt.offerings}
    code = refusal.code if isinstance(refusal, CloudError) else ""
    return [
        Refused(region=region, zone="", instance_type=kind, capacity_type=capacity, code=code or "refused",
                message=f"{refusal.message} {refusal.hint}".strip())
        for region, kind, capacity in sorted(pools)
    ]  # fmt: skip


def hopeless(record: JobRecord, refusal: CloudError | ConfigError) -> JobRecord:
    """The cloud refuses for a reason that no other zone will mend."""
    outcome = Outcome(
        state=JobState.FAILED, exit_code=refusal.exit_code, message=refusal.message, hint=refusal.hint
    )  # fmt: skip
    live = record.attempt is not None and record.attempt.state is not AttemptState.ENDED
    return replace(record, attempts=record.attempts[:-1] if live else record.attempts, outcome=outcome)
