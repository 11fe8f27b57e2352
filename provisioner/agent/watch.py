"""What others say: the cloud's notice, and the orders in the job's record."""

import json
import time

from . import times
from .aws import Unreachable
from .store import Denied, Missing

NOTICE_EVERY = 2.0


def told_end(text):
    """When the machine is taken; None where the notice does not say it in a way that can be read."""
    try:
        return times.read(json.loads(text)["time"])
    except (ValueError, KeyError, TypeError):
        return None


class Watch:
    """`notice` is None, or a dict of `at` and `ends_at` (seconds since the epoch); `rebalance_at` likewise."""

    def __init__(self, imds, store, boarding):
        self._imds, self._store, self._boarding = imds, store, boarding
        self.notice = self.rebalance_at = None
        self.stop_reason = ""
        self._deadline, self._deadline_reason = None, ""
        self._last_moment = time.monotonic() + boarding["stop_after_minutes"] * 60

    def look(self):
        """At the metadata service, once."""
        text = self._quietly("meta-data/spot/instance-action")
        if text and self.notice is None:
            self.notice = {"at": time.time(), "ends_at": told_end(text)}
        if self.rebalance_at is None and self._quietly("meta-data/events/recommendations/rebalance"):
            self.rebalance_at = time.time()

    def _quietly(self, path):
        try:
            return self._imds.get(path)
        except Unreachable:
            return None

    def look_on(self, stopped):
        """Also at the clock, from the start until the event is set."""
        while True:
            self.look()
            self.heed_deadline()
            if stopped.wait(NOTICE_EVERY):
                return

    def heed_deadline(self):
        """Needs nobody: the deadline that was read last, and a limit that no wrong clock can move."""
        passed = self._deadline is not None and time.time() >= self._deadline
        if passed or time.monotonic() >= self._last_moment:
            self.stop_reason = self.stop_reason or (passed and self._deadline_reason) or "over-time"

    def heed_orders(self):
        """Reads the record. A store that cannot be reached, or that refuses, means nothing."""
        try:
            orders = json.loads(self._store.get(self._boarding["prefix"] + "record.json"))["orders"]
            self._deadline = times.read(orders["deadline"])
            mine = orders["attempt"] == self._boarding["attempt"]
            if orders.get("token") and self._boarding.get("token"):
                mine = mine and orders["token"] == self._boarding["token"]
            wanted = orders["run"] and mine
            self._deadline_reason = orders["reason"]
            reason = "" if orders["run"] else orders["reason"]
        except Missing:
            self.stop_reason = self.stop_reason or "cancelled"
            return
        except (Unreachable, Denied, ValueError, KeyError, TypeError):
            return
        if not wanted:
            self.stop_reason = self.stop_reason or reason or "cancelled"
