"""A sandbox of a benchmark's own, and its counters."""

import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from provisioner.sandbox.client import ask
from tests.sandbox.world import leased


@contextmanager
def sandbox() -> Generator[None]:
    with tempfile.TemporaryDirectory() as folder, contextmanager(leased)(Path(folder)):
        yield


def requests() -> Counter[str]:
    """Asked of the sandbox so far, by operation."""
    return Counter(ask("status")["requests"])
