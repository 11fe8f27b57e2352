"""What else tells a command to stop."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def as_ctrl_c() -> Generator[None]:
    """A terminal that closes, and who ends a job of CI, are heard as a Ctrl-C: what is under way ends in order."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
