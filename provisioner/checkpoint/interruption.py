"""Hearing that the machine is about to go."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType

from provisioner.errors import ConfigError


class Interruption:
    """Announced once a file appears or, while listening, SIGTERM arrives. It is never taken back."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._announced = False
        self._listening = False
        self._previous: signal.Handlers | signal._HANDLER = signal.SIG_DFL  # pyright: ignore[reportPrivateUsage]

    @property
    def announced(self) -> bool:
        """Costs one look at the file system until it is true."""
        if not self._announced and self._file is not None:
            self._announced = self._file.exists()
        return self._announced

    def listen(self) -> None:
        """Takes SIGTERM as an announcement, and passes it on to the handler that was there before.

        Where there was none, the signal no longer ends the program: that is now for the program to do.
        Raises ConfigError outside the main thread, where Python installs no handler.
        """
        if self._listening:
            return
        if threading.current_thread() is not threading.main_thread():
            raise ConfigError(
                "SIGTERM can be listened to from the main thread only.",
                hint="call listen() before starting threads; the interruption file is watched in any case",
            )
        self._previous = signal.signal(signal.SIGTERM, self._on_signal)
        self._listening = True

    def ignore(self) -> None:
        """Puts the handler back that was there before; one that was not Python's cannot be, and becomes the default."""
        if self._listening:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if self._previous is None else self._previous)
            self._listening = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._announced = True
        if callable(self._previous):
            self._previous(number, frame)
