"""A job that ended before its program did goes on from its checkpoint, with limits of its own."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.domain.costs import Tariff
from provisioner.domain.jobs import JobRecord, JobState
from provisioner.domain.offerings import Offering
from provisioner.errors import ConfigError
from provisioner.jobs import names
from provisioner.jobs.buying import intended
from provisioner.jobs.objects import Objects
from provisioner.jobs.outcomes import time_used
from provisioner.jobs.records import Held, LostRace, Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What the job may use from now on."""

    max_duration: timedelta
    budget: Decimal | None
    max_restarts: int


def resumable(record: JobRecord) -> None:
    """Raises ConfigError for a job that has nothing left to do, or is under way."""
    if record.ended_at is None:
        raise ConfigError(f"job '{record.id}' is active.", hint=f"'accelctl status {record.id}' shows it.")
    if record.state is JobState.SUCCEEDED:
        raise ConfigError(
            f"job '{record.id}' has finished.", hint=f"'accelctl fetch {record.id}' brings what it saved."
        )


def resumed(record: JobRecord, allowance: Allowance, spent: Decimal | None) -> JobRecord:
    """The record with its end taken back. `spent`: USD so far. Raises ConfigError for a budget that cannot be kept."""
    resumable(record)
    budget = allowance.budget
    if budget is None and (record.asked or record.spec).budget is not None:
        raise ConfigError("--budget: the job had one.", hint="say what it may cost from now on.")
    if budget is not None and spent is None:
        raise ConfigError("--budget: what the job has cost is not known.", hint="leave it out.")
    spec = replace(
        record.spec, max_duration=time_used(record) + allowance.max_duration, max_restarts=allowance.max_restarts,
        budget=None if budget is None else budget + (spent or Decimal(0)),
    )  # fmt: skip
    return replace(
        record, spec=spec, asked=record.asked or record.spec, outcome=None, ended_at=None, cancel_asked_at=None,
        state=JobState.RECOVERING if record.attempts else JobState.PENDING, identity_asked=None,
        identity_made=False, lease=None, waiting_since=None, next_try_at=None, rounds=0, refusals=(),
        earlier=len(record.attempts),
    )  # fmt: skip


def refuse_useless(record: JobRecord, offering: Offering, tariff: Tariff, now: datetime) -> None:
    """Raises ConfigError for limits that pay for no work on that machine, the cheapest: they would end the job."""
    if outcome := intended(record, (offering,), tariff, now).outcome:
        raise ConfigError(f"{outcome.message}.", hint=outcome.hint)


def resume(objects: Objects, held: Held, record: JobRecord) -> JobRecord:
    """Writes it. Raises ConfigError where another active job has its name, or somebody else resumed it first."""
    name = record.spec.name
    if names.is_chosen(objects, name) and (other := names.claim(objects, name, record.id)) != record.id:
        raise ConfigError(f"the name '{name}' has another active job, {other}.", hint="end that one first.")
    try:
        return Records(objects).reopen(held, record).record
    except LostRace:
        raise ConfigError(
            f"job '{record.id}' is being resumed by somebody else.", hint="'accelctl status' shows it."
        ) from None
