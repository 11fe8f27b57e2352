"""The program's output on its way to the store: redacted, spooled on disk, sent as it comes and less often when much."""

import os
import threading
import time
from collections import deque

from .aws import Unreachable

OBJECT = 256 * 1024
SOON, LATE = 1.0, 10.0
LINES = 20
PARTIAL_AFTER = 1.0


class Journal:
    """Takes lines from pipes and from the agent itself. `secrets` are values that never leave the machine."""

    def __init__(self, store, prefix, spool, secrets):
        self._store, self._prefix, self._secrets = store, prefix, [s.encode() for s in secrets if s]
        self._path, self._lock = spool, threading.Lock()
        self._spool = open(spool, "ab", buffering=0)
        self._written = self._sent = 0
        self._number, self._start = 1, 0
        self.last_lines = deque(maxlen=LINES)

    @property
    def size(self):
        return self._written

    def hide(self, values):
        """Values that must not leave the machine from now on."""
        self._secrets += [value.encode() for value in values if value]

    def say(self, text):
        """A word of the machine itself."""
        self._append(b"[accelctl] %s\n" % text.encode("utf-8", "replace"))
        print("[accelctl]", text, flush=True)

    def follow(self, pipe):
        """Reads a pipe to its end, in a thread of its own; the thread."""
        thread = threading.Thread(target=self._read, args=[pipe], daemon=True)
        thread.start()
        return thread

    def _read(self, pipe):
        left = b""
        while True:
            chunk = os.read(pipe.fileno(), 65536)
            whole, newline, left = (left + chunk).rpartition(b"\n")
            if newline:
                self._append(whole + newline)
            if not chunk or len(left) > OBJECT:
                self._append(left)
                left = b""
            if not chunk:
                return

    def _append(self, content):
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        with self._lock:
            self._spool.write(content)
            self._written += len(content)
            self.last_lines.extend(line.decode("utf-8", "replace") for line in content.splitlines())

    def ship(self):
        """Sends what is not in the store yet. Raises Unreachable."""
        while self._sent < self._written:
            end = min(self._written, self._start + OBJECT)
            with open(self._path, "rb") as spool:
                spool.seek(self._start)
                content = spool.read(end - self._start)
            self._store.put("%s%06d.log" % (self._prefix, self._number), content)
            self._sent = end
            if end - self._start >= OBJECT:
                self._number, self._start = self._number + 1, end

    def ship_on(self, stopped):
        """Until the event is set: soon after silence, rarely in a flood."""
        wait = SOON
        while not stopped.wait(wait):
            before = self._sent
            try:
                self.ship()
            except Unreachable:
                wait = LATE
                continue
            wait = SOON if self._sent == before else min(LATE, wait * 1.5)

    def ship_rest(self, seconds):
        """Everything, within a bound of time; whether it went."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.ship()
                return True
            except Unreachable:
                if time.monotonic() > end:
                    return False
