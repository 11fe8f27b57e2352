"""What a job needs next. Pure: record, observation and clock in, one action with a reason out."""

from dataclasses import replace
from datetime import datetime, timedelta

from provisioner.catalog.labels import TOKEN
from provisioner.clouds.base import Traits
from provisioner.domain.instances import EndCause, Instance, InstanceState
from provisioner.domain.jobs import (
    Attempt,
    AttemptState,
    Checkpoint,
    EndReason,
    JobRecord,
    JobState,
    Pace,
    Patience,
    asked_again,
)
from provisioner.domain.quantities import written
from provisioner.domain.refusals import of_offering
from provisioner.domain.reports import NodeReport, Phase
from provisioner.errors import Refused
from provisioner.jobs.actions import Adopt, Clean, Close, Decision, Launch, Note, Observation, Rest, Terminate, Wait
from provisioner.jobs.buying import affords, buying, standing, with_attempt
from provisioner.jobs.closing import pool_of, with_refusals
from provisioner.jobs.outcomes import outcome_of, time_used

WORTH_A_WRITE = timedelta(minutes=1)
"""A deadline that moves by less is left as it was ordered."""
HEARTBEATS_MISSED = 4
GUESSED = (None, EndReason.LOST, EndReason.BOOT_TIMEOUT)
"""What the machine itself says of its end outranks these."""


def decide(record: JobRecord, seen: Observation, *, now: datetime, traits: Traits) -> Decision:
    """The next action for this job."""
    if record.ended_at is not None:
        return Decision(action=Rest(), reason=f"the job is over ({record.state})")
    attempt = record.attempt
    if strays := tuple(instance for instance in seen.instances if is_stray(instance, attempt)):
        names = ", ".join(instance.id for instance in strays)
        return Decision(action=Terminate(instances=strays, record=record), reason=f"{names} belongs to no live attempt")
    if attempt is not None and attempt.state is not AttemptState.ENDED:
        return live(record, attempt, seen, now=now, traits=traits)
    if leaving := [instance for instance in seen.instances if instance.alive]:
        return wait(record, now, f"{leaving[0].id} is still {leaving[0].state}")
    if record.outcome is not None:
        return Decision(action=Clean(), reason="nothing runs any more")
    if outcome := outcome_of(record, seen):
        return Decision(action=Note(record=replace(record, outcome=outcome)), reason=outcome.message)
    if news := [row for row in seen.refused if not is_known(row, record, now)]:
        silent = ", ".join(sorted({row.region for row in news}))
        return Decision(action=Note(record=with_refusals(record, news, now)), reason=f"{silent} cannot be asked")
    return buying(record, seen, now)


def is_known(row: Refused, record: JobRecord, now: datetime) -> bool:
    return pool_of(row) in {pool_of(refusal) for refusal in standing(record, now)}


def is_stray(instance: Instance, attempt: Attempt | None) -> bool:
    """A machine of the job that no live attempt knows, and that nobody has asked to go yet."""
    if instance.state in (InstanceState.STOPPING, InstanceState.TERMINATED):
        return False
    if attempt is None or attempt.state is AttemptState.ENDED:
        return True
    if attempt.nodes:
        return instance.id not in {node.instance_id for node in attempt.nodes}
    return instance.labels.get(TOKEN) != attempt.token


def wait(record: JobRecord, now: datetime, reason: str) -> Decision:
    return Decision(action=Wait(until=now + record.spec.pace.poll_every), reason=reason)


# An attempt that lives ------------------------------------------------------------------------------------------------


def live(record: JobRecord, attempt: Attempt, seen: Observation, *, now: datetime, traits: Traits) -> Decision:
    if not attempt.nodes:
        return launching(record, attempt, seen, now)
    instance = seen.instance_of(attempt)
    if instance is None and attempt.bought_at and now < attempt.bought_at + record.spec.pace.settle:
        return wait(record, now, "the cloud does not list the new machine yet")
    if instance is None or not instance.alive:
        return gone(record, attempt, instance, seen)
    if instance.state is InstanceState.STOPPING:
        return wait(record, now, "the machine is on its way out")
    if attempt.end_reason is not None:
        return ending(record, attempt, instance, reason=attempt.end_reason, why=attempt.message)
    if stop := stop_order(record, attempt, instance, seen=seen, now=now):
        return stop
    if seen.unread:
        return wait(record, now, seen.unread)
    if seen.report is None:
        return booting(record, attempt, instance, now)
    if (noted := progress(record, attempt, seen.report, now)) != record:
        return Decision(action=Note(record=noted), reason=f"the machine is in phase {seen.report.phase}")
    if (tightened := within_budget(record, attempt, seen, now)) != record:
        return Decision(action=Note(record=tightened), reason="the price has moved what the budget allows")
    return running(record, attempt, instance, seen=seen, report=seen.report, now=now, traits=traits)


def within_budget(record: JobRecord, attempt: Attempt, seen: Observation, now: datetime) -> JobRecord:
    """The record with the deadline that the price of now allows: the machine then stops with nobody looking."""
    budget, latest = record.spec.budget, attempt.ends_by or attempt.deadline
    if budget is None or seen.spent is None or not seen.hourly or attempt.deadline is None or latest is None:
        return record
    deadline = min(now + affords(budget - seen.spent, seen.hourly), latest)
    if abs(deadline - attempt.deadline) < WORTH_A_WRITE:
        return record
    by_time = deadline >= attempt.intended_at + record.spec.max_duration - time_used(record)
    reason = EndReason.OVER_TIME if by_time else EndReason.OVER_BUDGET
    orders = replace(record.orders, deadline=deadline, reason=reason)
    return replace(with_attempt(record, replace(attempt, deadline=deadline)), orders=orders)


def launching(record: JobRecord, attempt: Attempt, seen: Observation, now: datetime) -> Decision:
    pace = record.spec.pace
    if bought := tuple(instance for instance in seen.instances if instance.labels.get(TOKEN) == attempt.token):
        names = ", ".join(instance.id for instance in bought)
        return Decision(action=Adopt(attempt=attempt, instances=bought), reason=f"{names} is what was asked for")
    if record.cancel_asked_at is None and now > attempt.intended_at + pace.answer_within:
        late = f"the launch had no answer within {written(pace.answer_within)}"
        return Decision(action=Note(record=unanswered(record, attempt, now)), reason=late)
    if leaving := [instance for instance in seen.instances if instance.alive]:
        return wait(record, now, f"{leaving[0].id} is still {leaving[0].state}")
    if record.cancel_asked_at is None:
        return Decision(action=Launch(attempt=attempt), reason="the launch that was intended has no answer yet")
    settled = attempt.intended_at + pace.settle
    if now < settled:
        return Decision(action=Wait(until=settled), reason="a launch may be under way; the cloud will list it")
    return Decision(action=Close(reason=EndReason.CANCELLED), reason="the job is cancelled")


def unanswered(record: JobRecord, attempt: Attempt, now: datetime) -> JobRecord:
    """Nothing is listed of it, so it is given up: what shows up later belongs to no attempt, and goes."""
    rows = [of_offering(one, "no-answer", "the cloud gave no answer.") for one in attempt.offerings]
    record = replace(record, attempts=record.attempts[:-1], waiting_since=record.waiting_since or attempt.intended_at)
    return with_refusals(record, rows, now)


def gone(record: JobRecord, attempt: Attempt, instance: Instance | None, seen: Observation) -> Decision:
    """The machine is no more: why, by what we meant, by what the machine said, by what the cloud says."""
    cause, report = instance.end_cause if instance else None, seen.report
    message = "; ".join(filter(None, (instance.end_message if instance else "", seen.unread)))
    ended = report.ended if report else None
    if ended is not None and (attempt.end_reason in GUESSED or ended.reason == EndReason.FINISHED):
        reason, message = EndReason(ended.reason), ended.message
    elif attempt.end_reason is not None:
        reason, message = attempt.end_reason, attempt.message or message
    elif cause is EndCause.INTERRUPTED or (report and report.notice):
        reason = EndReason.INTERRUPTED
    elif record.cancel_asked_at is not None:
        reason = EndReason.CANCELLED
    elif cause is EndCause.FAILED and report is None and not seen.unread:
        reason = EndReason.NO_CAPACITY
    elif report is None and not seen.unread:
        reason = EndReason.BOOT_TIMEOUT
    else:
        reason = EndReason.LOST
    close = Close(
        reason=reason,
        instance=instance,
        exit_code=ended.exit_code if ended else None,
        message=message or attempt.message,
        last_lines=ended.last_lines if ended and reason is EndReason.FAILED else (),
    )
    return Decision(action=close, reason=f"the machine is gone ({reason})")


def stop_order(
    record: JobRecord, attempt: Attempt, instance: Instance, *, seen: Observation, now: datetime
) -> Decision | None:
    """Tells the machine to stop, once; ends it when it does not obey in time."""
    spec = record.spec
    if attempt.stop_asked_at is None and (reason := unwanted(record, attempt, seen, now)):
        orders = replace(record.orders, run=False, reason=reason)
        asked = replace(attempt, state=AttemptState.STOPPING, stop_asked_at=now)
        return Decision(action=Note(record=replace(with_attempt(record, asked), orders=orders)), reason=f"{reason}")
    if record.orders.run or attempt.stop_asked_at is None or (seen.report and seen.report.ended):
        return None
    patience = spec.pace.stop_grace + 2 * spec.pace.heartbeat_every + spec.pace.settle
    has_begun = seen.report is not None or bool(seen.unread)
    if has_begun and now < attempt.stop_asked_at + patience + still_saving(record, seen.report, now):
        return wait(record, now, "the machine saves and stops")
    why = "the machine was asked to stop and did not" if has_begun else "the machine had not begun"
    return ending(record, attempt, instance, reason=EndReason(record.orders.reason), why=why)


def still_saving(record: JobRecord, report: NodeReport | None, now: datetime) -> timedelta:
    """What a machine gets beyond its grace that says it sends its last files: after that it goes home by itself."""
    if report is None or report.phase is not Phase.SAVE or now >= report.at + record.spec.pace.lost_after:
        return timedelta(0)
    return record.spec.pace.last_upload


def unwanted(record: JobRecord, attempt: Attempt, seen: Observation, now: datetime) -> EndReason | None:
    if record.cancel_asked_at is not None:
        return EndReason.CANCELLED
    budget = record.spec.budget
    if budget is not None and seen.spent is not None and seen.spent >= budget:
        return EndReason.OVER_BUDGET
    if attempt.deadline is not None and now >= attempt.deadline:
        return EndReason(record.orders.reason or EndReason.OVER_TIME)
    return None


def ending(record: JobRecord, attempt: Attempt, instance: Instance, *, reason: EndReason, why: str) -> Decision:
    """Ends the attempt's machine, the end reason written first."""
    marked = replace(attempt, state=AttemptState.STOPPING, end_reason=attempt.end_reason or reason, message=why)
    return Decision(action=Terminate(instances=(instance,), record=with_attempt(record, marked)), reason=why)


def booting(record: JobRecord, attempt: Attempt, instance: Instance, now: datetime) -> Decision:
    bought = attempt.bought_at or attempt.intended_at
    if now < bought + record.spec.pace.boot_timeout:
        return wait(record, now, "the machine boots")
    return ending(record, attempt, instance, reason=EndReason.BOOT_TIMEOUT, why="the machine never reported")


def progress(record: JobRecord, attempt: Attempt, report: NodeReport, now: datetime) -> JobRecord:
    """The record with what the report adds to it."""
    state = AttemptState.STOPPING if report.ended or not record.orders.run else AttemptState.RUNNING
    if report.phase in (Phase.RESTORE, Phase.SETUP) and state is AttemptState.RUNNING:
        state = AttemptState.BOOTING
    boot = attempt.took_to_boot if attempt.took_to_boot is not None else boot_of(attempt, report, now)
    took = report.started_at - report.booted_at if report.started_at else None
    taken = attempt.taken_at if report.notice is None else report.notice.ends_at or report.notice.at
    noted = replace(attempt, state=state, took_to_boot=boot, took_to_start=took, taken_at=taken)
    job_state = JobState.RUNNING if state is AttemptState.RUNNING else record.state
    record = replace(with_attempt(record, noted), state=job_state, waiting_since=None, rounds=0)
    saved = report.checkpoint
    if saved and (record.checkpoint is None or saved.sequence > record.checkpoint.sequence):
        newest = Checkpoint(
            sequence=saved.sequence, attempt=attempt.number, at=saved.at, bytes=saved.bytes, files=saved.files
        )  # fmt: skip
        record = replace(record, checkpoint=newest)
    return record


def boot_of(attempt: Attempt, report: NodeReport, now: datetime) -> timedelta:
    """Nobody may have looked for long, and the machine's clock may be ahead of ours, or behind."""
    bought = attempt.bought_at or attempt.intended_at
    return max(min(report.booted_at, now) - bought, timedelta(0))


def running(
    record: JobRecord,
    attempt: Attempt,
    instance: Instance,
    *,
    seen: Observation,
    report: NodeReport,
    now: datetime,
    traits: Traits,
) -> Decision:
    if report.ended is not None:
        reason = EndReason(report.ended.reason)
        if reason is EndReason.INTERRUPTED and (free_until := free_end(attempt, report, traits)):
            patience = free_until + record.spec.pace.settle
            if now < patience:
                return wait(record, now, "saved; what the cloud itself ends within its first hour is free")
        return ending(record, attempt, instance, reason=reason, why=report.ended.message or f"the program has {reason}")
    if now > report.at + record.spec.pace.lost_after:
        return silent(record, attempt, instance, report=report, healthy=seen.healthy, now=now)
    return wait(record, now, f"the machine is in phase {report.phase}")


def silent(
    record: JobRecord, attempt: Attempt, instance: Instance, *, report: NodeReport, healthy: bool | None, now: datetime
) -> Decision:
    """Lost, once nothing newer has come while we looked: that the report is old may be our clock's doing.

    A machine that the cloud finds healthy is most often cut off from the store, and its program runs: an agent that
    ends takes its machine along. It gets longer; for a while, a check that is refused takes none of that away.
    """
    why = f"no report for {round((now - report.at).total_seconds())} s although the cloud says it is running"
    if attempt.silent_report != report.at or attempt.silent_since is None:
        noted = replace(attempt, silent_report=report.at, silent_since=now, vouched=None)
        return Decision(action=Note(record=with_attempt(record, noted)), reason=why)
    pace = record.spec.pace
    vouched = vouching(attempt, healthy, now, pace)
    if vouched and (attempt.vouched is None or now >= attempt.vouched.last + pace.heartbeat_every):
        return Decision(action=Note(record=with_attempt(record, replace(attempt, vouched=vouched))), reason=why)
    stands = vouched is not None and vouched.used < pace.vouched_for
    patience = pace.cut_off_for if stands else HEARTBEATS_MISSED * pace.heartbeat_every
    if now < attempt.silent_since + patience:
        return wait(record, now, f"{why} and healthy" if healthy else why)
    return ending(record, attempt, instance, reason=EndReason.LOST, why=why)


def vouching(attempt: Attempt, healthy: bool | None, now: datetime, pace: Pace) -> Patience | None:
    """What the cloud's checks say for a silent machine; None where they fail, or never passed."""
    if healthy:
        return Patience(last=now)
    return asked_again(attempt.vouched, now, pace) if healthy is None and attempt.vouched else None


def free_end(attempt: Attempt, report: NodeReport, traits: Traits) -> datetime | None:
    """When the cloud takes the machine, if waiting for that makes the whole attempt free. By the machine's clock."""
    if report.notice is None or report.notice.ends_at is None or attempt.bought_at is None:
        return None
    free = attempt.bought_at + traits.free_when_interrupted_within
    return report.notice.ends_at if report.notice.ends_at < free else None
