"""Carries a job to its end in the foreground: steps it, tells what happens, and minds Ctrl-C."""

import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import FrameType

import click

from provisioner.cli import output
from provisioner.cli.narrate import last_words, led_by, narrate
from provisioner.domain.jobs import AttemptState, JobRecord
from provisioner.errors import (
    AccelctlError,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsRefused,
    Interrupted,
    RateLimited,
    TeardownIncomplete,
)
from provisioner.jobs.cancel import ask_to_cancel
from provisioner.jobs.lookouts import SEEN_WITHIN, forget, mark
from provisioner.jobs.outputs import Output
from provisioner.workplace import Workplace, holder

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
PATIENCE = timedelta(minutes=30)
"""How long the cloud or the store may stay away before the foreground gives up; the job goes on without it."""


class Wish(StrEnum):
    """What a person wants after Ctrl-C."""

    DETACH = "detach"
    STOP = "stop"
    CONTINUE = "continue"


class Watch:
    """One job in the foreground."""

    def __init__(
        self, place: Workplace, job: str, *, show_output: bool, seen: JobRecord | None = None, named: bool = False
    ) -> None:
        """What `seen` holds is known, and is not told again. `named`: each line says of which job it is."""
        self._place = place
        self._job = job
        self._of = f"{job}: " if named else ""
        self._output = Output(place.objects, job, after=seen.earlier if seen else 0) if show_output else None
        self._before = seen
        self._interrupted = False
        self._said = ""
        self._marked_at: datetime | None = None

    def until_done(self, *, until: Callable[[JobRecord], bool]) -> JobRecord:
        """Returns once `until` holds of the record, or raises Detached. Raises CloudUnavailable after PATIENCE.

        A refusal ends the foreground alone: its hint says how to return to the job.
        """
        try:
            return self._stepped(until)
        except (CloudError, ConfigError) as failure:
            if self._before is None or self._before.outcome is None:
                failure.hint = f"{failure.hint} job {self._job} is open: {ways_back(self._job)}".strip()
            raise
        except KeyboardInterrupt:  # the second one, in the middle of anything
            raise Left(self._job, self._before) from None
        finally:
            with suppress(AccelctlError):  # it ages, and nobody is misled for long
                forget(self._place.objects, self._job)

    def _stepped(self, until: Callable[[JobRecord], bool]) -> JobRecord:
        pause, failing_since = FIRST_PAUSE, None
        with self._heeding_ctrl_c():
            while True:
                try:
                    stepped = self._place.stepper.step(self._job)
                    self._leave_word()
                    self._tell(stepped.record)
                except (CloudUnavailable, RateLimited, CredentialsRefused) as failure:
                    failing_since = failing_since or self._place.clock.now()
                    self._bear(failure, overdue=self._place.clock.now() - failing_since > PATIENCE)
                    self._place.clock.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                else:
                    pause, failing_since = FIRST_PAUSE, None
                    if not stepped.mine and stepped.decision.reason != self._said:
                        output.note(f"{led_by(stepped.decision.reason, stepped.record)}; watching")
                        self._said = stepped.decision.reason
                    if until(stepped.record):
                        return stepped.record
                    left = stepped.wait_until - self._place.clock.now()
                    self._place.clock.sleep(
                        min(left, stepped.record.spec.pace.poll_every)
                    )  # others may ask for its end
                self._answer_ctrl_c()

    def _leave_word(self) -> None:
        """That somebody looks after this job, often enough to be seen as doing so."""
        now = self._place.clock.now()
        if self._marked_at is None or now - self._marked_at > SEEN_WITHIN / 2:
            mark(self._place.objects, now, holder=holder(), job=self._job)
            self._marked_at = now

    def _tell(self, record: JobRecord) -> None:
        for line in narrate(self._before, record):
            output.note(f"{self._place.clock.now():%H:%M:%S} {self._of}{line}")
        for line in last_words(self._before, record) if self._output is None else ():
            output.note(line)
        self._before = record
        self.show_output()

    def show_output(self) -> None:
        """The program's words since the last call, on stdout."""
        if self._output is not None:
            output.raw([text for _, text in self._output.new()])

    def _bear(self, failure: AccelctlError, *, overdue: bool) -> None:
        over = self._before is not None and self._before.outcome is not None
        if overdue and over:
            raise TeardownIncomplete(failure.message, hint=f"run 'accelctl step {self._job}' until nothing is left.")
        if overdue:
            raise failure
        if failure.message != self._said:
            output.warn(failure.message)
            self._said = failure.message

    @contextmanager
    def _heeding_ctrl_c(self) -> Generator[None]:
        def first(_number: int, _frame: FrameType | None) -> None:
            self._interrupted = True
            self._place.clock.wake()
            signal.signal(signal.SIGINT, signal.default_int_handler)  # the second one leaves at once

        self._first = first
        before = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _answer_ctrl_c(self) -> None:
        if not self._interrupted:
            return
        self._interrupted = False
        decided = self._before is not None and self._before.cancel_asked_at is not None
        wish = ask() if sys.stdin.isatty() and sys.stderr.isatty() and not decided else Wish.DETACH
        if wish is Wish.DETACH:
            self._place.stepper.release(self._job)
            raise Detached(self._job, self._before)
        if wish is Wish.STOP:
            asked = ask_to_cancel(self._place.records, self._job, self._place.clock.now())
            self._before = replace(self._before or asked, cancel_asked_at=asked.cancel_asked_at)
        signal.signal(signal.SIGINT, self._first)  # the next one is asked about as well


class Left(Interrupted):
    """A person left: the job goes on, and there are ways back; or it is to stop, and somebody has to see to that."""

    def __init__(self, job: str, seen: JobRecord | None) -> None:
        asked = seen is not None and seen.cancel_asked_at is not None
        machine = seen is not None and bool(seen.attempts) and seen.attempts[-1].state is not AttemptState.ENDED
        what = "its machine goes on" if machine else "it has no machine, and waits until somebody steps it"
        super().__init__(
            f"job {job} is asked to stop." if asked else f"left job {job} as it is; {what}.",
            hint=f"'accelctl step {job}' finishes it." if asked else ways_back(job),
        )


class Detached(Left):
    """In good order, at the first Ctrl-C."""


def ways_back(job: str) -> str:
    return f"'accelctl status {job}' and 'accelctl logs {job} --follow' return to it; 'accelctl cancel {job}' stops it."


def ask() -> Wish:
    try:
        choice = click.prompt(
            "\nleave it running (detach), stop it and keep the checkpoint (stop), or continue?",
            type=click.Choice([wish.value for wish in Wish]), default="detach", err=True,
        )  # fmt: skip
    except click.Abort:  # whoever is in such a hurry is told how to return
        return Wish.DETACH
    return Wish(choice)
