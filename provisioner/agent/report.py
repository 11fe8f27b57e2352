"""The heartbeat: one object that says all there is to say of this machine."""

import json
import threading

from . import times
from .utilisation import Utilisation


class Report:
    """What is known, by name; `write` sends it."""

    def __init__(self, store, boarding, instance_id):
        self._store, self._lock, self._writing = store, threading.Lock(), threading.Lock()
        self._key = "%sattempts/%d/nodes/%d.json" % (boarding["prefix"], boarding["attempt"], boarding["rank"])
        self._utilisation = Utilisation()
        self.instance_id = instance_id
        self.devices = []
        """The samples of the last report."""
        self._known = {
            "version": 1, "attempt": boarding["attempt"], "rank": boarding["rank"], "instance_id": instance_id,
            "booted_at": times.now(), "phase": "restore",
        }  # fmt: skip

    def note(self, **known):
        with self._lock:
            self._known.update(known)

    @property
    def phase(self):
        with self._lock:
            return self._known["phase"]

    def checkpoint(self, name, manifest):
        """Notes a manifest as `checkpoint` or `restored`."""
        files = sum(len(part["files"]) for part in manifest["parts"])
        told = {"sequence": manifest["sequence"], "at": manifest["at"], "bytes": manifest["bytes"], "files": files}
        self.note(**{name: told})

    def write(self, log_bytes):
        """Raises Unreachable, Denied, Missing. One at a time: an older report never lands on a newer one."""
        with self._writing:
            self.devices = self._utilisation.read()
            self._store.put(self._key, json.dumps(self._told(log_bytes)).encode())

    def _told(self, log_bytes):
        with self._lock:
            return dict(
                self._known, at=times.now(), utilisation=self.devices, log_bytes=log_bytes,
                sent_bytes=self._store.sent, received_bytes=self._store.received, requests=self._store.requests + 1,
            )  # fmt: skip


def ended(reason, code, message, last_lines):
    return {"reason": reason, "at": times.now(), "exit_code": code, "message": message, "last_lines": last_lines}
