"""The only reader of wall time, and the only sleeper."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What logic gets instead of the wall clock."""

    def now(self) -> datetime:
        """The current moment, aware, UTC."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Waits that long, or less if something wants attention; never negative."""
        ...


class SystemClock:
    """The real one. `wake()` (safe in a signal handler) cuts the sleep under way, and the next one, short."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, duration: timedelta) -> None:
        self._woken.wait(max(duration.total_seconds(), 0.0))
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()


class ManualClock:
    """A clock that stands still until it is told otherwise; sleeping moves it. For logic under test."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self.slept: list[timedelta] = []

    def now(self) -> datetime:
        return self._now

    def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        self.advance(duration)

    def wake(self) -> None:
        """It never keeps anybody waiting."""

    def advance(self, duration: timedelta) -> None:
        self._now += duration


def monotonic() -> float:
    """Seconds from an arbitrary start: for measuring how long something took."""
    return time.monotonic()
