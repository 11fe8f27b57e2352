"""How a job ends. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.domain.jobs import (
    Attempt,
    EndReason,
    Fallback,
    JobRecord,
    JobState,
    Outcome,
    Refusal,
)
from provisioner.domain.quantities import written
from provisioner.jobs.actions import Observation

SAME_FAILURE_LIMIT = 3
SILENT = {EndReason.BOOT_TIMEOUT, EndReason.LOST}
OUR_FAULT = "Client."
"""What EC2's reasons begin with where the account, and no lack of machines, is why one was not started."""
FAILURES = {
    EndReason.BOOT_TIMEOUT: "never reported", EndReason.LOST: "vanished", EndReason.NO_CAPACITY: "were not started",
}  # fmt: skip


def outcome_of(record: JobRecord, seen: Observation) -> Outcome | None:
    """How the job ends, if it ends here."""
    if record.cancel_asked_at is not None and not finished(record):
        hint = f"'accelctl resume {record.id}' goes on from there." if record.checkpoint else ""
        return Outcome(
            state=JobState.CANCELLED, exit_code=130, message=f"the job was cancelled; {kept(record)}", hint=hint
        )
    if record.recent and (outcome := after_attempt(record, record.recent[-1])):
        return outcome
    if record.spec.budget is not None and seen.spent is None and record.attempts:
        return failed(
            6, "what the job has cost is not known, so its budget cannot be kept", "start it again without one"
        )
    used = time_used(record)
    if used >= record.spec.max_duration:
        what = f"the job used its {written(record.spec.max_duration)} of machine time"
        return failed(6, what, goes_on(record, "--max-duration"))
    if record.spec.budget is not None and (seen.spent or Decimal(0)) >= record.spec.budget:
        return failed(6, f"the job used its budget of {record.spec.budget} USD", goes_on(record, "--budget"))
    return None


def goes_on(record: JobRecord, limit: str) -> str:
    return f"'accelctl resume {record.id} {limit} …' continues it"


def kept(record: JobRecord) -> str:
    return "its checkpoint is kept" if record.checkpoint else "it had saved nothing"


def waited_enough(record: JobRecord, now: datetime) -> bool:
    return record.waiting_since is not None and now >= record.waiting_since + record.spec.max_wait


def finished(record: JobRecord) -> bool:
    return record.attempt is not None and record.attempt.end_reason is EndReason.FINISHED


def after_attempt(record: JobRecord, last: Attempt) -> Outcome | None:
    match last.end_reason:
        case EndReason.FINISHED:
            return Outcome(state=JobState.SUCCEEDED, exit_code=0, message="the program finished", program_exit_code=0)
        case EndReason.FAILED:
            return program_failed(record, last)
        case EndReason.OVER_TIME | EndReason.OVER_BUDGET:
            limit = "--max-duration" if last.end_reason is EndReason.OVER_TIME else "--budget"
            return failed(
                6,
                f"the job reached its {limit}; {kept(record)}",
                goes_on(record, limit),
            )
        case EndReason.BOOT_TIMEOUT | EndReason.LOST:
            return same_failure(record, last)
        case EndReason.NO_CAPACITY if last.message.startswith(OUR_FAULT):
            return same_failure(record, last)
        case _:
            return None


def program_failed(record: JobRecord, last: Attempt) -> Outcome | None:
    failures = [attempt for attempt in record.recent if attempt.end_reason is EndReason.FAILED]
    if len(failures) <= record.spec.max_restarts and last.exit_code != 0:  # 0: it had done its work, and lost it
        return None
    what = last.message or f"the program failed with exit code {last.exit_code}"
    outcome = failed(6, what, f"'accelctl logs {record.id}' shows all it said")
    return replace(outcome, program_exit_code=last.exit_code, last_lines=last.last_lines)


def same_failure(record: JobRecord, last: Attempt) -> Outcome | None:
    """Three times in a row, with nothing saved in between, is not bad luck. One that vanished fell silent as well."""
    recent = record.recent[-SAME_FAILURE_LIMIT:]
    same = SILENT if last.end_reason in SILENT else {last.end_reason}
    alike = len(recent) == SAME_FAILURE_LIMIT and all(attempt.end_reason in same for attempt in recent)
    first = recent[0].intended_at
    if not alike or (record.checkpoint is not None and record.checkpoint.at > first):
        return None
    how = " or ".join(dict.fromkeys(FAILURES[attempt.end_reason or EndReason.LOST] for attempt in recent))
    return failed(
        4, f"{SAME_FAILURE_LIMIT} machines in a row {how}: {last.message or 'no reason given'}",
        f"'accelctl logs {record.id}' shows what they printed",
    )  # fmt: skip


def failed(code: int, message: str, hint: str) -> Outcome:
    return Outcome(state=JobState.FAILED, exit_code=code, message=message, hint=f"{hint.rstrip('.')}.")


def of_cloud(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Without those that we made ourselves of a machine's loss; one that was never started was refused by the cloud."""
    ours = set(EndReason) - {EndReason.NO_CAPACITY}
    return [refusal for refusal in refusals if refusal.code not in ours]


def no_capacity(record: JobRecord) -> Outcome:
    refusals = of_cloud(record.refusals)
    if refusals and all(refusal.until is None for refusal in refusals):
        first = refusals[0]
        return failed(
            4, f"no offering can be bought: {first.message.rstrip('.')}", "ask for more quota, or use --region"
        )
    places = ", ".join(f"{kind} in {', '.join(where)} ({code})" for (kind, code), where in tried(record).items())
    lasting = " ".join(dict.fromkeys(one.message for one in record.refusals if one.until is None))
    what = f"no capacity within {written(record.spec.max_wait)}: tried {places or 'nothing: no offering fits'}"
    more = " or --region" if record.spec.fallback is Fallback.ON_DEMAND else ", --region or --fallback on-demand"
    return failed(
        4, f"{what}; {lasting.rstrip('.')}" if lasting else what,
        f"allow more with --instance{more}, or wait longer with --max-wait",
    )  # fmt: skip


def tried(record: JobRecord) -> dict[tuple[str, str], list[str]]:
    """What was refused and how, with all the places."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in record.refusals:
        found.setdefault((f"{one.capacity_type} {one.instance_type}", one.code), []).append(one.zone or one.region)
    return found


def time_used(record: JobRecord) -> timedelta:
    """Machine time of the attempts that have ended."""
    spans = [
        attempt.ended_at - attempt.launched_at
        for attempt in record.attempts
        if attempt.launched_at is not None and attempt.ended_at is not None
    ]
    return sum(spans, timedelta())
