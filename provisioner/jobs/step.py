"""Takes a job's next steps: observe, decide, act. Any number of processes may do so at once.

Every act is preceded by a write that says what is about to be done; every write is a compare-and-swap. Those around a
call of the cloud also renew the lease; a note does not, and the last one gives it back. Whoever loses the race stops
and reads again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Protocol

from provisioner.clock import Clock
from provisioner.clouds.base import (
    ChecksHealth,
    CloudProvider,
    FindsLeftovers,
    GivesIdentity,
    KeepsConsole,
    KnowsPrices,
    Sold,
)
from provisioner.domain.costs import Tariff
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import EndReason, JobRecord, asked_again
from provisioner.domain.offerings import Requirements
from provisioner.errors import CloudError
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
from provisioner.jobs.boarding import UserData
from provisioner.jobs.buying import intended, requirements, with_attempt
from provisioner.jobs.consoles import Consoles
from provisioner.jobs.decide import decide
from provisioner.jobs.launching import Launching
from provisioner.jobs.leases import Leases
from provisioner.jobs.objects import Objects
from provisioner.jobs.observing import Observer
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import Held, LostRace, Records
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
        self._records = Records(objects)
        self._cloud = cloud
        self._clock = clock
        self._tariff = tariff
        self._leases = Leases(self._records, clock, holder)
        progress, accounts = Progress(objects), Accounts(cloud=cloud, tariff=tariff)
        self._consoles = Consoles(objects, cloud)
        self._observer = Observer(cloud=cloud, progress=progress, accounts=accounts, clock=clock)
        self._settling = Settling(
            cloud=cloud, progress=progress, accounts=accounts, consoles=self._consoles, clock=clock
        )  # fmt: skip
        self._launching = Launching(
            cloud=cloud, objects=objects, leases=self._leases, clock=clock, user_data=user_data
        )  # fmt: skip

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
                if self._leases.led_by_other(held.record):
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
        self._leases.release(job)

    # observe ----------------------------------------------------------------------------------------------------------

    def _watching(self, record: JobRecord) -> Stepped:
        until = self._clock.now() + record.spec.pace.poll_every
        holder = record.lease.holder if record.lease else "another process"
        decision = Decision(action=Wait(until=until), reason=f"another accelctl process ({holder}) acts on this job")
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
                return self._launching.identify(held)
            case Buy(offerings=offerings):
                now, by = self._clock.now(), self._leases.holder
                return self._leases.write(held, intended(held.record, offerings, self._tariff, now, by=by))
            case Launch(attempt=attempt):
                return self._launching.launch(self._leases.secured(held), attempt)
            case Adopt(attempt=attempt, instances=instances):
                return self._launching.adopt(self._leases.secured(held), attempt, instances, at=attempt.intended_at)
            case Terminate(instances=instances, record=record):
                return self._terminate(self._leases.write(held, record), instances)
            case Close():
                return self._close(held, action)
            case Clean():
                held = self._leases.secured(held)
                return self._records.write(held, self._settling.cleaned(held.record))
            case _:
                raise AssertionError(f"{action} is no act")

    def _close(self, held: Held, close: Close) -> Held:
        attempt = held.record.attempts[-1]
        try:
            return self._leases.write(held, self._settling.closed(held.record, close))
        except CloudError:
            unsettled = asked_again(attempt.unsettled, self._clock.now(), held.record.spec.pace)
            self._leases.write(held, with_attempt(held.record, replace(attempt, unsettled=unsettled)))
            raise

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
