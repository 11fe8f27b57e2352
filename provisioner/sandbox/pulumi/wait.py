"""Waiting, as the real providers do."""

import time
from collections.abc import Callable

from botocore.exceptions import WaiterError

WITHIN, PAUSE = 120.0, 0.3
"""Seconds; the real provider waits ten minutes for capacity."""


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Raises WaiterError with `otherwise`."""
    end = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > end:
            raise WaiterError(otherwise, "timed out", {})
        time.sleep(PAUSE)
