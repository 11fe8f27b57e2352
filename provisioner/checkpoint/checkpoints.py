"""When to save, and from where to go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from provisioner.checkpoint import folder as layout
from provisioner.checkpoint.environment import Environment
from provisioner.checkpoint.folder import Saved
from provisioner.checkpoint.interruption import Interruption
from provisioner.errors import ConfigError

EXIT_INTERRUPTED = 143
"""What a program that stopped early should exit with (128 + SIGTERM): never 0, which means that its work is done."""

State = TypeVar("State")


class Checkpoints:
    """The checkpoints of one program, in one folder.

    A step is the number of steps done, so the state of step 0 is the fresh one.

    Args:
        folder: where they are kept; accelctl's own (`ACCELCTL_CHECKPOINT_DIR`) or else `checkpoints`.
        every_steps: a save is due whenever a multiple of this was passed.
        every: a save is due when this much time (a timedelta, or seconds) went by since the last.
        keep: how many are kept, the newest; older ones go once the new one is in place.
        environment: instead of the process's own.
        timer: seconds from an arbitrary start, never going back.

    With neither `every_steps` nor `every`, a save is due on interruption only. As a context manager it listens to
    SIGTERM inside, as between `listen()` and `ignore()`. Raises ConfigError for a number that makes no sense.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        every_steps: int | None = None,
        every: timedelta | float | None = None,
        keep: int = 2,
        environment: Environment | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.environment = environment or Environment.read()
        self.folder = Path(folder) if folder is not None else self.environment.folder
        self._every_steps = every_steps
        self._every = every.total_seconds() if isinstance(every, timedelta) else every
        self._keep = keep
        for name, value in (("every_steps", self._every_steps), ("every", self._every), ("keep", keep)):
            if value is not None and value <= 0:
                raise ConfigError(
                    f"{name} is {value}, and has to be more than 0.", hint=f"leave {name} out for its default"
                )
        self._interruption = Interruption(self.environment.interruption_file)
        self._timer = timer
        self._saved_at = timer()
        self._saved_step: int | None = None
        self._final = False

    @property
    def attempt(self) -> int:
        """1, and one more each time that the job was started again."""
        return self.environment.attempt

    @property
    def rank(self) -> int:
        """Which of the program's processes this is, from 0: only rank 0 saves, every rank may restore."""
        return self.environment.rank

    @property
    def world_size(self) -> int:
        """How many processes the program has."""
        return self.environment.world_size

    @property
    def interrupted(self) -> bool:
        """Whether the machine is about to go: save what is due and leave with EXIT_INTERRUPTED."""
        return self._interruption.announced

    def listen(self) -> Checkpoints:
        """Takes SIGTERM as an interruption; the handler that was there before is called as well. Main thread only."""
        self._interruption.listen()
        return self

    def ignore(self) -> None:
        """Puts the handler back that was there before `listen()`."""
        self._interruption.ignore()

    def __enter__(self) -> Checkpoints:
        return self.listen()

    def __exit__(self, *_: object) -> None:
        self.ignore()

    def latest(self) -> Saved | None:
        """The newest complete checkpoint, or None; a damaged one is passed over, with a warning in the log."""
        return layout.latest(self.folder)

    def restore(self, read: Callable[[Path], State], *, fresh: State) -> tuple[int, State]:
        """The steps done and what `read` made of the newest complete checkpoint; 0 and `fresh` where there is none."""
        saved = self.latest()
        self._saved_step = saved.step if saved else 0
        return (saved.step, read(saved.path)) if saved else (0, fresh)

    def due(self, step: int) -> bool:
        """Whether to save now, with `step` steps done. After an interruption once more, and then as before."""
        if self._saved_step is None:
            self._saved_step = step - 1
        if step == self._saved_step:
            return False
        return (self.interrupted and not self._final) or self._steps_passed(step) or self._time_passed()

    def save(self, step: int, write: Callable[[Path], object]) -> Saved:
        """Lets `write` fill a folder, which becomes the checkpoint of `step` at once and whole, or not at all.

        Then the oldest ones beyond `keep` go. What `write` raises passes through. Raises ConfigError for a negative
        step, for a folder left empty, and for any rank but 0: several processes would overwrite one another.
        """
        self._check(step)
        final = self.interrupted
        saved = layout.publish(self.folder, write, step=step, world_size=self.world_size)
        layout.prune(self.folder, newest=step, keep=self._keep)
        self._saved_step, self._saved_at, self._final = step, self._timer(), final
        return saved

    def _steps_passed(self, step: int) -> bool:
        every = self._every_steps
        return every is not None and step // every > (self._saved_step or 0) // every

    def _time_passed(self) -> bool:
        return self._every is not None and self._timer() - self._saved_at >= self._every

    def _check(self, step: int) -> None:
        if step < 0:
            raise ConfigError(f"The step to save is {step}.", hint="a step is the number of steps done, from 0 on")
        if self.rank != 0:
            raise ConfigError(
                f"Rank {self.rank} of {self.world_size} may not save.", hint="call save() where checkpoints.rank == 0"
            )
