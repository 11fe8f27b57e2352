"""What gets a job its machine: its identity, the launch, and what each refusal of them means for the job."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clock import Clock
from provisioner.clouds.base import CloudProvider, GivesIdentity, IdentityRequest
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Attempt, AttemptState, JobRecord, JobState, Node, Outcome, asked_again
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import Offering
from provisioner.domain.refusals import of_region
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
from provisioner.jobs.boarding import UserData, boarding_pass, task
from provisioner.jobs.buying import with_attempt
from provisioner.jobs.closing import with_refusals
from provisioner.jobs.leases import Leases
from provisioner.jobs.objects import Objects
from provisioner.jobs.outcomes import waited_enough
from provisioner.jobs.records import Held, LostRace, Records, prefix


class LettingCloud(CloudProvider, GivesIdentity, Protocol):
    """Where a job gets its machine."""


class Launching:
    """Every act is written down before and after; each method gives the record as it wrote it. Raises LostRace."""

    def __init__(
        self, *, cloud: LettingCloud, objects: Objects, leases: Leases, clock: Clock, user_data: UserData
    ) -> None:
        self._cloud, self._objects, self._leases, self._clock = cloud, objects, leases, clock
        self._user_data = user_data

    def identify(self, held: Held) -> Held:
        """Makes the identity that the job's machines will have."""
        before, spec = held.record, held.record.spec
        asked = asked_again(before.identity_asked, self._clock.now(), spec.pace)
        named = replace(before, identity=f"accelctl-{before.id}", identity_asked=asked)
        held = self._leases.write(held, named)
        self._objects.put(f"{prefix(before.id)}task.json", task(before.id, spec))
        try:
            self._cloud.make_identity(self._identity(held.record))
        except CredentialsRefused:
            raise
        except (ConfigError, CloudError) as refusal:
            patient = asked.used < max(spec.max_wait, spec.pace.answer_within)
            if patient and may_pass(refusal, first=before.identity_asked is None):
                raise
            return self._leases.write(held, hopeless(held.record, refusal))
        return self._leases.write(held, replace(held.record, identity_made=True))

    def launch(self, held: Held, attempt: Attempt) -> Held:
        """Asks for what is intended; the same token buys once."""
        try:
            instances = self._cloud.launch(self._request(held.record, attempt))
        except TokenReused:
            return self._bought_before(held, attempt)
        except (CredentialsRefused, RateLimited, CloudUnavailable):
            raise
        except (ConfigError, CloudError) as refusal:
            return self._leases.write(held, self._without(held.record, attempt, refusal))
        return self.adopt(held, attempt, tuple(instances), at=self._clock.now())

    def _without(self, record: JobRecord, attempt: Attempt, refusal: CloudError | ConfigError) -> JobRecord:
        """What a refusal makes of the record. Raises it again where it is not this process's to judge."""
        match refusal:
            case InsufficientCapacity(refused=rows) if rows:
                return self._refused(record, rows)
            case InsufficientCapacity() | QuotaExceeded():
                return self._refused(record, of_region(attempt.offerings, refusal))
            case PermissionDenied() if not self._may_judge(record, attempt):
                raise refusal  # who started the job may: whoever steps it just now is not its judge
            case ConfigError() if len(record.attempts) > 1:  # what is asked for has run before: it is the place
                return self._refused(record, of_region(attempt.offerings, refusal))
            case _:
                return hopeless(record, refusal)

    def _may_judge(self, record: JobRecord, attempt: Attempt) -> bool:
        """What is refused to the process that began with the job's first launch, or to everybody for long."""
        began = record.tries == 1 and attempt.intended_by == self._leases.holder
        return began or waited_enough(record, self._clock.now())

    def adopt(self, held: Held, attempt: Attempt, instances: tuple[Instance, ...], *, at: datetime) -> Held:
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
            return self._leases.write(held, with_attempt(held.record, bought))
        except LostRace:
            return self._overtaken(held.record.id, attempt, instances)

    def _bought_before(self, held: Held, attempt: Attempt) -> Held:
        """The call was made, and its words have changed since, such as the newest image: what it bought is ours.

        Where nothing is listed once the cloud has had the time, the next try has a token of its own.
        """
        bought = self._cloud.list_owned(
            {labels.TOKEN: attempt.token}, regions={one.region for one in attempt.offerings}
        )
        if found := tuple(bought):
            return self.adopt(held, attempt, found, at=attempt.intended_at)
        since = attempt.unlisted_since or self._clock.now()
        if self._clock.now() >= since + held.record.spec.pace.settle:
            return self._leases.write(held, self._refused(held.record, []))
        self._leases.write(held, with_attempt(held.record, replace(attempt, unlisted_since=since)))
        raise CloudUnavailable("a launch was made, and is not listed yet.", hint="step again in a moment.")

    def _overtaken(self, job: str, attempt: Attempt, instances: tuple[Instance, ...]) -> Held:
        """Another process went on while our call was under way: what it does not count as the job's must go."""
        held = Records(self._objects).read(job)
        current = held.record.attempt
        if current is None or current.token != attempt.token or current.state is AttemptState.ENDED:
            for instance in instances:
                self._cloud.terminate(instance.id, region=instance.region)
        raise LostRace(job)

    def _identity(self, record: JobRecord) -> IdentityRequest:
        spec = record.spec
        read = [record.agent.key] + ([spec.workdir.key] if spec.workdir else [])
        return IdentityRequest(
            name=record.identity, job=record.id, labels=self._labels(record), store=record.store, read=tuple(read),
            access=spec.access, secrets=tuple(spec.secrets.values()),
        )  # fmt: skip

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

    def _labels(self, record: JobRecord) -> dict[str, str]:
        return labels.ours(
            job=record.id, name=record.spec.name, owner=record.owner, store=record.store, **record.spec.labels
        )

    def _refused(self, record: JobRecord, refused: Sequence[Refused]) -> JobRecord:
        """Nothing was bought, so there was no attempt; the wait for capacity begins."""
        now, ran = self._clock.now(), len(record.attempts) > 1
        record = replace(record, attempts=record.attempts[:-1], waiting_since=record.waiting_since or now)
        # A quota that a machine of this job once fitted in is used by others just now, and not too small for good.
        return with_refusals(
            record, [row._replace(lasting=row.lasting and not (ran and not row.zone)) for row in refused], now
        )


def may_pass(refusal: CloudError | ConfigError, *, first: bool) -> bool:
    """The cloud is busy; or this process may not do what the `first` one may that asked."""
    return isinstance(refusal, RateLimited | CloudUnavailable) or (isinstance(refusal, PermissionDenied) and not first)


def offering_of(attempt: Attempt, instance: Instance) -> Offering | None:
    return next(
        (
            offering
            for offering in attempt.offerings
            if (offering.zone, offering.instance_type) == (instance.zone, instance.instance_type)
        ),
        None,
    )


def hopeless(record: JobRecord, refusal: CloudError | ConfigError) -> JobRecord:
    """The cloud refuses for a reason that no other zone will mend."""
    outcome = Outcome(
        state=JobState.FAILED, exit_code=refusal.exit_code, message=refusal.message, hint=refusal.hint
    )  # fmt: skip
    live = record.attempt is not None and record.attempt.state is not AttemptState.ENDED
    return replace(record, attempts=record.attempts[:-1] if live else record.attempts, outcome=outcome)
