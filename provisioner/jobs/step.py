"""Takes a job's next steps: observe, decide, act. Any number of processes may do so at once.

Every act is preceded by a write that says what is about to be done; every write is a compare-and-swap that also renews
the lease. Whoever loses the race stops and reads again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clock import Clock
from provisioner.clouds.base import (
    CloudProvider,
    FindsLeftovers,
    GivesIdentity,
    IdentityRequest,
    KeepsConsole,
    KnowsPrices,
    Leftover,
)
from provisioner.domain.costs import Tariff
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Attempt, AttemptState, EndReason, JobRecord, JobState, Lease, Node, Outcome
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import Offering
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
    Unseen,
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
    Rest,
    Survey,
    Terminate,
    Wait,
)
from provisioner.jobs.boarding import UserData, boarding_pass, task
from provisioner.jobs.buying import intended, requirements, with_attempt
from provisioner.jobs.closing import by_our_clock, closed, ended_at, with_last_words, with_refusals, work_lost
from provisioner.jobs.consoles import Consoles
from provisioner.jobs.decide import decide
from provisioner.jobs.objects import Objects
from provisioner.jobs.observing import Observer, regions_of
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import Held, LostRace, Records, prefix

MOST_ACTIONS = 64
"""Of one step; a job that wants more gets them in the next one."""


class JobCloud(CloudProvider, GivesIdentity, KeepsConsole, KnowsPrices, FindsLeftovers, Protocol):
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
        self._progress = Progress(objects)
        self._cloud = cloud
        self._clock = clock
        self._holder = holder
        self._tariff = tariff
        self._accounts = Accounts(cloud=cloud, tariff=tariff)
        self._consoles = Consoles(objects, cloud)
        self._observer = Observer(cloud=cloud, progress=self._progress, accounts=self._accounts, clock=clock)
        self._user_data = user_data

    def step(self, job: str) -> Stepped:
        """Acts until there is nothing to do but wait.

        Raises CloudUnavailable or RateLimited where the cloud does not answer (step again later: the intent stands),
        and other CloudErrors where it refuses what is not the job's to mend.
        """
        held = self._records.read(job)
        decision = Decision(action=Rest(), reason="")
        try:
            for _ in range(MOST_ACTIONS):
                if self._led_by_other(held.record):
                    return self._watching(held.record)
                decision = self._decide(held.record)
                if isinstance(decision.action, Wait):
                    return Stepped(record=held.record, decision=decision, wait_until=decision.action.until)
                if isinstance(decision.action, Rest):
                    return Stepped(record=held.record, decision=decision, wait_until=self._clock.now())
                held = self._act(held, decision.action)
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

    def _decide(self, record: JobRecord) -> Decision:
        seen = self._observer.observe(record)
        decision = decide(record, seen, now=self._clock.now(), traits=self._cloud.traits)
        if isinstance(decision.action, Survey):
            sold = self._cloud.offerings(requirements(record))
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
                return self._clean(self._leased(held))
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

    def _identify(self, held: Held) -> Held:
        record = held.record
        held = self._write(held, replace(record, identity=f"accelctl-{record.id}"))
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
            patient = self._clock.now() < record.created_at + max(spec.max_wait, spec.pace.answer_within)
            if isinstance(refusal, RateLimited | CloudUnavailable) and patient:
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
            return self._write(held, self._refused(record, list(refusal.refused)))
        except QuotaExceeded as refusal:
            return self._write(held, self._refused(record, over_quota(attempt, refusal)))
        except CredentialsRefused:
            raise
        except PermissionDenied as refusal:
            if record.tries > 1:  # who started the job may: whoever steps it just now is not its judge
                raise
            return self._write(held, hopeless(record, refusal))
        except TokenReused:
            return self._bought_before(held, attempt)
        except (RateLimited, CloudUnavailable):
            raise
        except (ConfigError, CloudError) as refusal:
            return self._write(held, hopeless(record, refusal))
        return self._bought(held, attempt, tuple(instances), at=self._clock.now())

    def _bought_before(self, held: Held, attempt: Attempt) -> Held:
        """The call was made, and its words have changed since, such as the newest image: what it bought is ours.

        Where nothing is listed the next try has a token of its own; what shows up later belongs to no attempt and goes.
        """
        bought = self._cloud.list_owned(
            {labels.TOKEN: attempt.token}, regions={one.region for one in attempt.offerings}
        )
        if found := tuple(bought):
            return self._bought(held, attempt, found, at=attempt.intended_at)
        return self._write(held, self._refused(held.record, []))

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
            bought_at=at, launched_at=instances[0].launched_at,
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

    def _close(self, held: Held, close: Close) -> Held:
        record, attempt = held.record, held.record.attempts[-1]
        report = self._observer.report(record, attempt)
        if report is None and close.instance is not None:
            close = with_last_words(close, self._consoles.keep(record.id, attempt, close.instance))
        now = self._clock.now()
        end = ended_at(attempt, close.instance, report, pace=record.spec.pace, now=now)
        newest = self._progress.newest_checkpoint(record.id)
        lost = work_lost(close.reason, report, newest=newest, end=by_our_clock(attempt, end, now))
        cost = self._accounts.settled(
            attempt, close.instance, end=end, report=report, record=record, lost=lost or timedelta(0)
        )
        record = closed(record, close, end=end, report=report, cost=cost, lost=lost, newest=newest, now=now)
        return self._write(held, record)

    def _clean(self, held: Held) -> Held:
        record, outcome = held.record, held.record.outcome
        assert outcome is not None  # noqa: S101 - decide cleans after the outcome only
        self._remove_all(record)
        if left := self._leftovers(record):
            names = ", ".join(f"{leftover.kind} {leftover.id}" for leftover in left)
            raise CloudUnavailable(f"job '{record.id}' still has {names}.", hint="it is on its way out; step again.")
        return self._records.write(
            held, replace(record, state=outcome.state, ended_at=self._clock.now(), lease=None, next_try_at=None)
        )  # fmt: skip

    def _remove_all(self, record: JobRecord) -> None:
        """One that is refused keeps no other from going; the first refusal is told."""
        steps = [partial(self._cloud.remove, leftover) for leftover in self._leftovers(record)]
        if record.identity:
            steps.append(partial(self._cloud.remove_identity, record.identity))
        refusals: list[CloudError] = []
        for remove in steps:
            try:
                remove()
            except CloudError as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]

    def _leftovers(self, record: JobRecord) -> list[Leftover]:
        """Where the job was never asked for there is nothing of it: that such a region is down keeps nothing open."""
        try:
            found = list(self._cloud.leftovers(job=record.id, regions=sorted(regions_of(record))))
        except Unseen as blind:
            raise next(iter(blind.regions.values())) from blind
        return sorted(found, key=lambda leftover: leftover.order)


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
    """A limit of the account holds for the whole region, and for as long as the job lives."""
    pools = {(offering.region, offering.instance_type, offering.capacity_type) for offering in attempt.offerings}
    advice = f"{refusal.message} {refusal.hint}".strip()
    return [
        Refused(region=region, zone="", instance_type=kind, capacity_type=capacity, code=refusal.code or "quota",
                message=advice, lasting=True)
        for region, kind, capacity in sorted(pools)
    ]  # fmt: skip


def hopeless(record: JobRecord, refusal: CloudError | ConfigError) -> JobRecord:
    """The cloud refuses for a reason that no other zone will mend."""
    outcome = Outcome(
        state=JobState.FAILED, exit_code=refusal.exit_code, message=refusal.message, hint=refusal.hint
    )  # fmt: skip
    live = record.attempt is not None and record.attempt.state is not AttemptState.ENDED
    return replace(record, attempts=record.attempts[:-1] if live else record.attempts, outcome=outcome)
