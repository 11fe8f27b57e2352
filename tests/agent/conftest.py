"""Machines for tests of the agent: one server for each test process, one bucket and one home for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.machine import Machine, Store, client, plain_boarding, plain_task
from tests.agent.server import Server


@pytest.fixture(scope="session")
def running_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(running_server: Server) -> Server:
    running_server.renew()
    return running_server


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Iterator[Machine]:
    store = Store(s3=client(server, "s3"), bucket=f"test-{uuid.uuid4().hex[:12]}")
    store.s3.create_bucket(Bucket=store.bucket)
    machine = Machine(server, store, tmp_path / "machine", task=plain_task(), boarding=plain_boarding(store.bucket))
    yield machine
    for home in tmp_path.glob("machine*"):
        Machine(server, store, home, booted=machine.booted).pull_the_plug()
