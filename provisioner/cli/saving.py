"""The end of jobs in a teardown: their programs save, their records say that they are over."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from provisioner.cli import output
from provisioner.cli.narrate import narrate
from provisioner.cli.signals import as_ctrl_c
from provisioner.cli.watch import Left, Watch
from provisioner.domain.jobs import AttemptState, JobRecord
from provisioner.errors import AccelctlError, CloudUnavailable, CredentialsRefused, Interrupted, RateLimited
from provisioner.workplace import Workplace

PASSING = CloudUnavailable, RateLimited, CredentialsRefused
PATIENCE = timedelta(minutes=10)
"""Beyond the longest that a program may save: then machines are ended like everything else."""


def let_save(place: Workplace, running: Sequence[JobRecord]) -> None:
    """What runs gets what `cancel` gives it, all jobs at the same time; no longer than until their machines are gone.

    Where that is refused, the machine is ended like everything else.
    """
    if not running:
        return
    grace = max(one.spec.pace.stop_grace for one in running)
    names = ", ".join(one.id for one in running)
    output.note(f"asked to stop, with {output.span(grace)} for the program to save: {names}")
    longest = grace + max(one.spec.pace.last_upload for one in running)
    waiting, end = {one.id: one for one in running}, place.clock.now() + longest + PATIENCE
    try:
        with as_ctrl_c():
            while (waiting := still_running(place, waiting)) and place.clock.now() < end:
                place.clock.sleep(min(one.spec.pace.poll_every for one in waiting.values()))
    except KeyboardInterrupt:
        for job in waiting:
            with suppress(AccelctlError):  # its lease ends by itself as well
                place.stepper.release(job)
        raise left_half_way(names) from None
    for job in waiting:
        output.warn(f"job {job} has not ended by itself in time")


def still_running(place: Workplace, waiting: Mapping[str, JobRecord]) -> dict[str, JobRecord]:
    """Each steps once."""
    after = {job: stepped(place, before) for job, before in waiting.items()}
    return {job: record for job, record in after.items() if record and may_run(record)}


def stepped(place: Workplace, before: JobRecord) -> JobRecord | None:
    """The record now, as it was where nobody answers; None where the step is refused for good."""
    after = before
    try:
        with suppress(*PASSING):
            place.stepper.step(before.id)
        with suppress(*PASSING):  # what a step did before it was refused stands
            after = place.records.read(before.id).record
    except AccelctlError as refusal:
        output.warn(f"job {before.id} does not end by itself: {refusal.message}")
        return None
    for line in narrate(before, after):
        output.note(f"{place.clock.now():%H:%M:%S} {before.id}: {line}")
    return after


def may_run(record: JobRecord) -> bool:
    """A program may be on its newest machine."""
    return record.attempt is not None and record.attempt.state is not AttemptState.ENDED


def end_of(place: Workplace, record: JobRecord) -> None:
    """Steps the job until it is over; what the record holds is not told again. Raises Interrupted at Ctrl-C."""
    watch = Watch(place, record.id, show_output=False, seen=record, named=True)
    try:
        watch.until_done(until=lambda now: now.ended_at is not None)
    except Left:
        raise left_half_way(record.id) from None


def left_half_way(jobs: str) -> Interrupted:
    what = f"left half way: job {jobs} is asked to stop, and nobody has looked what is left."
    return Interrupted(what, hint="the same teardown goes on from here.")
