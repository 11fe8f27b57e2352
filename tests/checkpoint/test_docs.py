"""The programs in docs/checkpoints.md, run as they stand. The one for PyTorch is run by test_torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.checkpoint import Checkpoints, Environment

ROOT = Path(__file__).parents[2]
PROGRAMS = [part.split("```")[0] for part in (ROOT / "docs" / "checkpoints.md").read_text().split("```python\n")[1:]]


@pytest.mark.parametrize(("program", "last_step"), [(PROGRAMS[0], 1000), (PROGRAMS[1], 300)], ids=["plain", "jax"])
def test_a_program_of_the_page(tmp_path: Path, program: str, last_step: int) -> None:
    """It runs, leaves its last checkpoint in checkpoints/, and run again finds nothing more to do."""
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60
        )
        latest = Checkpoints(tmp_path / "checkpoints", environment=Environment()).latest()
        assert latest
        assert latest.step == last_step
