"""Looks at the pace that AWS allows: one token bucket for each action of a region, whoever asks.

CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html; EC2's buckets:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from provisioner.clock import SystemClock, monotonic
from provisioner.clouds.aws.errors import THROTTLED

BACK_TO_FULL = 60.0
"""Seconds in which a bucket that was told to slow down is at its full rate again."""
SLOWEST = 1.0
"""Calls a second, however often AWS says no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """So many a second, and so many at once."""

    rate: float
    burst: float


CALLS = {"GetMetricData": Quota(rate=50, burst=50), "ListMetrics": Quota(rate=25, burst=25)}
DESCRIBE = Quota(rate=20, burst=100)
"""Of each Describe action of EC2."""
POINTS = Quota(rate=180_000, burst=180_000)
"""Points of GetMetricData, counted as asked for: its stricter limit, which holds for the last three hours."""


class Bucket:
    """Tokens that come back at a rate. Who takes more than there are waits for its turn; thread-safe."""

    def __init__(self, quota: Quota, *, time: Callable[[], float] = monotonic) -> None:
        self._quota, self._time, self._lock = quota, time, threading.Lock()
        self._rate, self._held, self._at = quota.rate, quota.burst, time()

    def take(self, amount: float = 1.0) -> float:
        """Seconds to wait before what was taken may be used."""
        with self._lock:
            now = self._time()
            passed, self._at = now - self._at, now
            self._rate = min(self._quota.rate, self._rate + passed * self._quota.rate / BACK_TO_FULL)
            self._held = min(self._quota.burst, self._held + passed * self._rate) - amount
            return max(0.0, -self._held / self._rate)

    def slow_down(self) -> None:
        """AWS said so: others share the account's quota."""
        with self._lock:
            self._rate, self._held = max(SLOWEST, self._rate / 2), min(self._held, 0.0)


class Allowance:
    """The buckets of one account, shared by all of its clients."""

    def __init__(self, wait: Callable[[float], None] | None = None) -> None:
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._lock = threading.Lock()
        self._wait = wait or pause
        self.asked = Counter[str]()
        """Every request that was sent, by service and operation."""

    def watch(self, client: Any, region: str) -> None:
        """Every attempt is counted, and one of the client's looks takes a token first; retries too."""
        client.meta.events.register("before-send", partial(self._before, region))
        client.meta.events.register("needs-retry", partial(self._after, region))

    def points(self, region: str, count: int) -> None:
        """Waits until so many points may be asked for."""
        self._take(self._bucket(region, "points", POINTS), count)

    def _before(self, region: str, *, event_name: str, **_: Any) -> None:
        service, action = event_name.split(".")[-2:]
        with self._lock:
            self.asked[f"{service}.{action}"] += 1
        if quota := quota_of(action):
            self._take(self._bucket(region, action, quota), 1)

    def _after(self, region: str, *, event_name: str, response: Any = None, **_: Any) -> None:
        action = event_name.rsplit(".", 1)[-1]
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        if code in THROTTLED and (quota := quota_of(action)):
            self._bucket(region, action, quota).slow_down()

    def _take(self, bucket: Bucket, amount: float) -> None:
        if seconds := bucket.take(amount):
            self._wait(seconds)

    def _bucket(self, region: str, action: str, quota: Quota) -> Bucket:
        with self._lock:
            return self._buckets.setdefault((region, action), Bucket(quota))


def quota_of(action: str) -> Quota | None:
    """None for what is not a look."""
    return CALLS.get(action) or (DESCRIBE if action.startswith("Describe") else None)


def pause(seconds: float) -> None:
    """Each waits for itself."""
    SystemClock().sleep(timedelta(seconds=seconds))
