"""What every test may lean on."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.world import leased

SLOW_FIRST = ("engine", "e2e", "checkpoint", "agent", "sandbox", "aws")
"""Folders whose files come first, so that no process is left alone with one of them in the end; one file of each in
turn, since the engine's tests compute and those of real jobs mostly wait."""
LAST = 1000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files = {folder: sorted({item.path for item in items if item.path.parent.name == folder}) for folder in SLOW_FIRST}

    def rank(item: pytest.Item) -> tuple[int, int]:
        folder = item.path.parent.name
        if folder not in files:
            return LAST, 0
        return files[folder].index(item.path), SLOW_FIRST.index(folder)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One sandbox for each test process; its state is shared, so tests use types, zones and names of their own."""
    yield from leased(tmp_path_factory.mktemp("sandbox"))
