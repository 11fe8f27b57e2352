"""What others say: the cloud's notice, and the orders in the job's record."""

import json
import time

from . import times
from .aws import Unreachable
from .store import Denied, Missing

NOTICE_EVERY = 2.0


class Watch:
    """`notice` is None, or a dict of `at` and `ends_at` (seconds since the epoch); `rebalance_at` likewise."""

    def __init__(self, imds, store, boarding):
        self._imds, self._store, self._boarding = imds, store, boarding
        self.notice = self.rebalance_at = None
        self.stop_reason = ""
        self._deadline = None

    def look(self):
        """At the metadata service, once."""
        text = self._quietly("meta-data/spot/instance-action")
        if text and self.notice is None:
            told = json.loads(text)
            self.notice = {"at": time.time(), "ends_at": times.read(told.get("time"))}
        if self.rebalance_at is None and self._quietly("meta-data/events/recommendations/rebalance"):
            self.rebalance_at = time.time()

    def _quietly(self, path):
        try:
            return self._imds.get(path)
        except Unreachable:
            return None

    def look_on(self, stopped):
        while not stopped.wait(NOTICE_EVERY):
            self.look()

    def heed_orders(self):
        """Reads the record. A store that cannot be reached, or that refuses, means nothing."""
        if self._deadline is not None and time.time() >= self._deadline:
            self.stop_reason = self.stop_reason or "over-time"
        try:
            orders = json.loads(self._store.get(self._boarding["prefix"] + "record.json"))["orders"]
        except Missing:
            self.stop_reason = self.stop_reason or "cancelled"
            return
        except (Unreachable, Denied, ValueError, KeyError):
            return
        self._deadline = times.read(orders.get("deadline"))
        if orders["attempt"] != self._boarding["attempt"] or not orders["run"]:
            self.stop_reason = self.stop_reason or orders.get("reason") or "cancelled"
