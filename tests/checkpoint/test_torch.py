"""PyTorch as the system's Python has it: a CPU build, where there is one."""

import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from provisioner.checkpoint import EXIT_INTERRUPTED

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
MISSING = f"{PYTHON} is older than 3.11 or has no torch: apt-get install python3-torch"


@cache
def has_torch() -> bool:
    probe = "import sys, torch, numpy; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.full
def test_torch_is_the_same_bit_for_bit(workplace: Callable[..., Any]) -> None:
    """Interrupted and resumed, model, Adam, scheduler and random states give the parameters of a training in peace."""
    if not has_torch():
        pytest.skip(MISSING)
    peace, job = workplace("peace", PYTHON), workplace("job", PYTHON)
    options = ("--steps", 120, "--print-every", 1)
    expected = peace.run("train_torch.py", *options)
    first = job.start("train_torch.py", *options, "--pace", 0.25)
    first.wait_for("step 3 of 120")
    first.process.send_signal(signal.SIGTERM)
    code, output = first.end()
    assert code == EXIT_INTERRUPTED, output
    result = job.run("train_torch.py", *options, ACCELCTL_ATTEMPT=2)
    print(f"loss {result['loss']:.6f}, parameters {result['checksum'][:16]}, attempts {result['attempts']}")  # noqa: T201 - the full run shows it
    assert {**result, "attempts": []} == {**expected, "attempts": []}
    assert expected["loss"] < 0.1
    assert 3 <= result["attempts"][1][1] < 120


@pytest.mark.full
def test_the_torch_program_of_the_page(tmp_path: Path) -> None:
    """The program in docs/checkpoints.md runs as it stands, and once more from where it ended."""
    if not has_torch():
        pytest.skip(MISSING)
    program = (ROOT / "docs" / "checkpoints.md").read_text().split("```python\n")[3].split("```")[0]
    for _ in range(2):
        subprocess.run([PYTHON, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
        assert (tmp_path / "checkpoints" / "step-00000300").is_dir()
