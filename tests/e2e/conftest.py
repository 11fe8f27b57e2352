"""End-to-end tests have a sandbox of their own for each file: what they tear down and move is nobody else's."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.world import leased


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A fresh cloud."""
    yield from leased(tmp_path_factory.mktemp("sandbox"))
