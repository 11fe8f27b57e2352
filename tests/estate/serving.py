"""An estate that this process's own calls go to."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.estate.server import Server
from tests.estate.tables import REGION, Estate


@contextmanager
def serving(estate: Estate, *, latency: float = 0.0) -> Generator[Estate]:
    """While the block lasts; the environment leads to it, and its caller is nobody else."""
    server = Server(estate, latency)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = {"AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "estate", "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            environment.delenv(name, raising=False)
        for name, value in told.items():
            environment.setenv(name, value)
        try:
            yield estate
        finally:
            server.shutdown()
            server.server_close()
