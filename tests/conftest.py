"""What every test may lean on."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.world import leased

SLOW_FIRST = ("engine", "e2e", "checkpoint", "agent", "sandbox", "aws")
"""Folders of tests, the longest files first, so that no process is left alone with them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return SLOW_FIRST.index(folder) if folder in SLOW_FIRST else len(SLOW_FIRST)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One sandbox for each test process; its state is shared, so tests use types, zones and names of their own."""
    yield from leased(tmp_path_factory.mktemp("sandbox"))
