"""What every test may lean on."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.world import leased


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One sandbox for each test process; its state is shared, so tests use types, zones and names of their own."""
    yield from leased(tmp_path_factory.mktemp("sandbox"))
