"""What there is to see of a job: its machines in every region that was asked, and what the newest of them says."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from provisioner.catalog import labels
from provisioner.clock import Clock
from provisioner.clouds.base import ChecksHealth, CloudProvider
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Attempt, AttemptState, JobRecord
from provisioner.domain.reports import NodeReport
from provisioner.errors import CloudError, CloudUnavailable, InstanceNotFound, RateLimited
from provisioner.jobs.accounts import Accounts
from provisioner.jobs.actions import Observation
from provisioner.jobs.progress import Progress, Unreadable

log = logging.getLogger(__name__)


class ObservedCloud(CloudProvider, ChecksHealth, Protocol):
    """Where machines are."""


class Observer:
    """Looks, and changes nothing."""

    def __init__(self, *, cloud: ObservedCloud, progress: Progress, accounts: Accounts, clock: Clock) -> None:
        self._cloud, self._progress, self._accounts, self._clock = cloud, progress, accounts, clock
        self._silent: dict[str, datetime] = {}

    def observe(self, record: JobRecord) -> Observation:
        """Machines first, reports second: what a machine wrote before it went is then never missed."""
        if record.ended_at is not None or not record.tries:
            return Observation()
        instances = tuple(self._machines(record))
        try:
            seen = self._checked(record, Observation(instances=instances, report=self._report(record)))
        except Unreadable as problem:
            seen = Observation(instances=instances, unread=problem.message)
        return seen if record.spec.budget is None else self._with_money(seen, record)

    def _checked(self, record: JobRecord, seen: Observation) -> Observation:
        """A silent machine is looked at from outside; checks that are refused say nothing."""
        instance = seen.instance_of(record.attempt) if record.attempt else None
        if instance is None or not instance.alive or not is_silent(record, seen.report, self._clock.now()):
            return seen
        try:
            return replace(seen, healthy=self._cloud.is_healthy(instance.id, region=instance.region))
        except CloudError as refusal:
            log.debug("the checks of %s: %s", instance.id, refusal.message)
            return seen

    def _with_money(self, seen: Observation, record: JobRecord) -> Observation:
        """A price that is refused is unknown: it is no reason to look away from the machine."""
        now = self._clock.now()
        try:
            spent = self._accounts.spent(record, seen.report, now)
            return replace(seen, spent=spent, hourly=self._accounts.hourly(record, now))
        except CloudError as refusal:
            log.warning("what job '%s' costs is not known just now: %s", record.id, refusal.message)
            return seen

    def _report(self, record: JobRecord) -> NodeReport | None:
        attempt = record.attempt
        if attempt is None or not attempt.nodes:
            return None
        return own(attempt, self._progress.report(record.id, attempt.number))

    def _machines(self, record: JobRecord) -> Iterator[Instance]:
        """Raises CloudUnavailable where the live attempt's region does not answer; others are left alone for minutes.

        What the job once had elsewhere has ended before, or is found before the job is cleaned away.
        """
        needed = regions_of_live(record)
        for region in sorted(regions_of(record)):
            if region not in needed and self._is_left_alone(region):
                continue
            try:
                yield from self._machines_in(region, record)
            except (CloudUnavailable, RateLimited):
                if region in needed:
                    raise
                self._silent[region] = self._clock.now() + record.spec.pace.refusal

    def _is_left_alone(self, region: str) -> bool:
        until = self._silent.get(region)
        return until is not None and self._clock.now() < until

    def _machines_in(self, region: str, record: JobRecord) -> Iterator[Instance]:
        found = tuple(self._cloud.list_owned({labels.JOB: record.id}, regions=[region]))
        unlisted = ids_in(record, region).difference(instance.id for instance in found)
        yield from (*found, *self._asked_by_id(sorted(unlisted), region))

    def _asked_by_id(self, ids: list[str], region: str) -> Iterator[Instance]:
        """A machine that has ended loses its labels long before the cloud forgets how it ended."""
        for instance_id in ids:
            with suppress(InstanceNotFound):
                yield self._cloud.get(instance_id, region=region)


def regions_of(record: JobRecord) -> set[str]:
    """Where something of the job may be: its launches were asked for there."""
    bought = (offering.region for attempt in record.attempts for offering in attempt.offerings)
    return {*record.regions_tried, *bought}


def regions_of_live(record: JobRecord) -> set[str]:
    attempt = live_attempt(record)
    return {offering.region for offering in attempt.offerings} if attempt else set()


def ids_in(record: JobRecord, region: str) -> set[str]:
    """Of the machines of the attempt that lives."""
    attempt = live_attempt(record)
    here = attempt is not None and attempt.offering is not None and attempt.offering.region == region
    return {node.instance_id for node in attempt.nodes} if attempt and here else set()


def live_attempt(record: JobRecord) -> Attempt | None:
    attempt = record.attempt
    return None if attempt is None or attempt.state is AttemptState.ENDED else attempt


def is_silent(record: JobRecord, report: NodeReport | None, now: datetime) -> bool:
    """The machine has reported, and not for long."""
    return report is not None and report.ended is None and now > report.at + record.spec.pace.lost_after


def own(attempt: Attempt, report: NodeReport | None) -> NodeReport | None:
    """The report where it is the attempt's own: one of a launch that was given up may have had the same number."""
    mine = report is not None and report.instance_id in {node.instance_id for node in attempt.nodes}
    return report if mine else None
