"""The end of an attempt and of a job: what is looked up once more, what it cost, and what is removed."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Protocol

from provisioner.clock import Clock
from provisioner.clouds.base import FindsLeftovers, GivesIdentity
from provisioner.clouds.regions import Unseen
from provisioner.domain.jobs import Cost, JobRecord, asked_again
from provisioner.domain.leftovers import Leftover
from provisioner.domain.reports import NodeReport
from provisioner.errors import CloudError, CloudUnavailable, RateLimited
from provisioner.jobs.accounts import Accounts
from provisioner.jobs.actions import Close
from provisioner.jobs.buying import with_attempt
from provisioner.jobs.closing import End, by_our_clock, closed, ended_at, with_last_words, work_lost
from provisioner.jobs.consoles import Consoles
from provisioner.jobs.observing import own, regions_of
from provisioner.jobs.outcomes import after_attempt
from provisioner.jobs.progress import Progress

FOR_A_FIGURE = timedelta(minutes=2)
"""How long a price is waited for that nothing rests on: the next machine is worth more."""


class CleanedCloud(FindsLeftovers, GivesIdentity, Protocol):
    """Where a job leaves something behind."""


class Settling:
    """Says how a record ends; whoever steps the job writes it."""

    def __init__(
        self, *, cloud: CleanedCloud, progress: Progress, accounts: Accounts, consoles: Consoles, clock: Clock
    ) -> None:
        self._cloud, self._progress, self._accounts = cloud, progress, accounts
        self._consoles, self._clock = consoles, clock

    def closed(self, record: JobRecord, close: Close) -> JobRecord:
        """With its newest attempt ended. Raises CloudError for a price that is worth another try."""
        attempt = record.attempts[-1]
        report = own(attempt, self._progress.readable(record.id, attempt.number))
        if report is None and close.instance is not None:
            close = with_last_words(close, self._consoles.keep(record.id, attempt, close.instance))
        end, now = self._end(record, close, report), self._clock.now()
        return closed(record, close, end, cost=self._cost(record, close, end), now=now)

    def _end(self, record: JobRecord, close: Close, report: NodeReport | None) -> End:
        attempt, now = record.attempts[-1], self._clock.now()
        at = ended_at(attempt, close.instance, report, pace=record.spec.pace, now=now)
        newest = self._progress.newest_checkpoint(record.id)
        lost = work_lost(close.reason, report, newest=newest, end=by_our_clock(attempt, at, now))
        return End(at=at, report=report, newest=newest, lost=lost)

    def _cost(self, record: JobRecord, close: Close, end: End) -> Cost | None:
        settled = partial(self._accounts.settled, record.attempts[-1], close.instance, end, record=record)
        try:
            return settled()
        except CloudError as refusal:
            asked = asked_again(record.attempts[-1].unsettled, self._clock.now(), record.spec.pace)
            if asked.used < patience(record, close, refusal):
                raise
            return settled(priced=False)

    def cleaned(self, record: JobRecord) -> JobRecord:
        """The record of a job that is over, once nothing of it is left. Raises CloudError as long as something is."""
        assert record.outcome is not None  # noqa: S101 - decide cleans after the outcome only
        self._remove_all(record)
        if left := self._leftovers(record):
            names = ", ".join(f"{leftover.kind} {leftover.id}" for leftover in left)
            raise CloudUnavailable(f"job '{record.id}' still has {names}.", hint="it is on its way out; step again.")
        return replace(
            record, state=record.outcome.state, ended_at=self._clock.now(), lease=None, next_try_at=None
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


def patience(record: JobRecord, close: Close, refusal: CloudError) -> timedelta:
    """For how long a refused price is worth another step: longest where the next machine rests on it."""
    spec, pace = record.spec, record.spec.pace
    if spec.budget is not None and goes_on(record, close):
        return max(spec.max_wait, pace.answer_within)
    if not isinstance(refusal, RateLimited | CloudUnavailable):
        return timedelta(0)
    return FOR_A_FIGURE if spec.budget is None else pace.answer_within


def goes_on(record: JobRecord, close: Close) -> bool:
    """Another machine follows an attempt that ends like this."""
    ended = replace(record.attempts[-1], end_reason=close.reason, message=close.message)
    return record.cancel_asked_at is None and after_attempt(with_attempt(record, ended), ended) is None
