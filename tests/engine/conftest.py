"""Engine tests have a sandbox of their own for each file, and share one stack."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.project import ROOT, engine
from tests.sandbox.world import leased


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A fresh cloud, reached by `pulumi` as in `accelctl sandbox env`. Skips where no CLI can be had."""
    for state in leased(tmp_path_factory.mktemp("sandbox")):
        if reason := engine():
            pytest.skip(reason)
        os.environ["PYTHONPATH"] = str(Path(ROOT))
        yield state
