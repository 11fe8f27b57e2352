"""The sandbox's own time: real time and what it was moved by. Timers fire by it."""

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class SandboxClock:
    """`advance` moves it; `at` calls back once a moment is reached, in the clock's own thread."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._changed = threading.Condition()
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        threading.Thread(target=self._run, name="clock", daemon=True).start()

    @property
    def offset(self) -> timedelta:
        return self._offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def timestamp(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset.total_seconds()

    def advance(self, duration: timedelta) -> datetime:
        with self._changed:
            self._offset += duration
            self._changed.notify()
        return self.now()

    def at(self, moment: datetime, act: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (moment, next(self._numbers), act))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            due = self._next()
            try:
                due()
            except Exception:  # noqa: BLE001 - time goes on, whatever one callback does
                traceback.print_exc()

    def _next(self) -> Callable[[], None]:
        """Waits for the next thing that is due."""
        with self._changed:
            while not self._due or self._due[0][0] > self.now():
                wait = (self._due[0][0] - self.now()).total_seconds() if self._due else None
                self._changed.wait(wait)
            return heapq.heappop(self._due)[2]
