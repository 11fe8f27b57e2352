"""The program's output on its way to the store: redacted, spooled, sent as it comes and less often when much."""

import contextlib
import os
import select
import threading
import time

from .aws import Unreachable
from .store import Denied, Missing

OBJECT = 256 * 1024
SOON, LATE = 1.0, 10.0
LINES = 20
LAST_BYTES = 16 * 1024
PARTIAL_AFTER = 1.0
SECRET_LINE = 8
"""A line of a secret of several lines is hidden by itself, too, if it is no shorter."""


class Journal:
    """Takes lines from pipes and from the agent itself, and sends them, in objects, below a prefix."""

    def __init__(self, store, prefix, spool):
        self._store, self._prefix, self._secrets = store, prefix, []
        self._path, self._lock = spool, threading.Lock()
        self._spool = open(spool, "ab", buffering=0)
        self._written = self._sent = 0
        self._losing = False
        self._number, self._start = 1, 0
        self._shipping = threading.Lock()

    @property
    def size(self):
        return self._written

    def hide(self, values):
        """Values that must not leave the machine from now on."""
        lines = [line for value in values for line in value.splitlines() if len(line) >= SECRET_LINE]
        found = {value.encode() for value in [*values, *lines] if value}
        self._secrets = sorted(found, key=len, reverse=True)

    def say(self, text):
        """A word of the machine itself."""
        self._append(b"[accelctl] %s\n" % text.encode("utf-8", "replace"))
        self._print(text)

    def _print(self, text):
        with contextlib.suppress(OSError):  # a console that takes nothing is no reason to stop
            print("[accelctl]", text, flush=True)

    def follow(self, pipe):
        """Reads a pipe to its end, in a thread of its own; the thread."""
        thread = threading.Thread(target=self._read, args=[pipe], daemon=True)
        thread.start()
        return thread

    def _read(self, pipe):
        """Passes on whole lines; a line that stays without an end for a moment, as far as no secret can be cut."""
        left, passed_on = b"", time.monotonic()
        while True:
            ready, _, _ = select.select([pipe], [], [], PARTIAL_AFTER)
            chunk = os.read(pipe.fileno(), 65536) if ready else b""
            if ready and not chunk:
                return self._append(left)
            whole, newline, left = (left + chunk).rpartition(b"\n")
            whole += newline
            if not whole and (time.monotonic() - passed_on >= PARTIAL_AFTER or len(left) > OBJECT):
                cut = len(left) - self._secret_begun(left)
                whole, left = left[:cut], left[cut:]
            if whole:
                self._append(whole)
                passed_on = time.monotonic()

    def _secret_begun(self, text):
        """How many bytes at the end of the text may be the first part of a secret."""
        lengths = (size for secret in self._secrets for size in range(1, len(secret)) if text.endswith(secret[:size]))
        return max(lengths, default=0)

    def _append(self, content):
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        with self._lock:
            self._keep(content)

    def _keep(self, content):
        """Where the disk is full the output is lost, and the program, which waits for its pipe, goes on."""
        try:
            while content:
                written = self._spool.write(content)
                self._written += written
                content = content[written:]
            self._losing = False
        except OSError as problem:
            if not self._losing:
                self._print("output is lost: %s" % problem)
            self._losing = True

    def last_lines(self):
        """Of the program's output, not of the machine's own words."""
        with open(self._path, "rb") as spool:
            spool.seek(max(0, self._written - LAST_BYTES))
            lines = spool.read(LAST_BYTES).decode("utf-8", "replace").splitlines()
        return [line for line in lines if not line.startswith("[accelctl] ")][-LINES:]

    def ship(self):
        """Sends what is not in the store yet. Raises Unreachable, Denied, Missing."""
        with self._shipping:
            while self._sent < self._written:
                self._ship_object()

    def _ship_object(self):
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
            except (Unreachable, Denied, Missing):
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
            except (Unreachable, Denied, Missing):
                if time.monotonic() > end:
                    return False
                time.sleep(SOON)
