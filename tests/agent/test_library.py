"""`provisioner.checkpoint` on the machine: it travels with the agent, and gives way to what the program has itself."""

import os
import subprocess
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from provisioner.agent import bundle
from tests.agent.machine import Machine, paths

BARE = "/usr/bin/python3"
"""A Python in which accelctl is not installed."""
SAVES = """
import json
from provisioner.checkpoint import Checkpoints
with Checkpoints(every_steps=1) as checkpoints:
    step, total = checkpoints.restore(lambda folder: json.loads((folder / "total").read_text()), fresh=0)
    checkpoints.save(step + 1, lambda folder: (folder / "total").write_text(str(total + 1)))
    print("step", step, "total", total)
"""


@pytest.fixture
def library(tmp_path: Path) -> str:
    """What the agent puts on PYTHONPATH."""
    (tmp_path / "agent.pyz").write_bytes(bundle.build())
    return f"{tmp_path}/agent.pyz/program"


def said(python: str, source: str, *path: str | Path, folder: Path = Path("/")) -> str:
    """What a program prints with these on PYTHONPATH, in this order."""
    environment = {"PYTHONPATH": ":".join(map(str, path)), "PATH": os.environ["PATH"]}
    command = [python, "-c", source]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_bare_python_saves_and_resumes(machine: Machine):
    """On an image with no accelctl, a program that imports it saves, and goes on from there on the next machine."""
    plain = replace(machine, image=None)
    plain.task.update(command=[BARE, "-c", SAVES], environment={"PYTHONPATH": "/the/users/own"})
    assert plain.start().gone()["ended"]["last_lines"][-1:] == ["step 0 total 0"]
    assert "checkpoints/step-00000001/accelctl.json" in paths(plain.store.manifests()[-1])
    assert plain.successor().start().gone()["ended"]["last_lines"][-1:] == ["step 1 total 1"]


def test_only_what_it_needs_travels():
    """The checkpoints, the errors that they raise, and nothing of the rest of accelctl."""
    with zipfile.ZipFile(BytesIO(bundle.build())) as archive:
        sent = {name for name in archive.namelist() if name.startswith("program/")}
    checkpoint = {file.name for file in Path("provisioner/checkpoint").glob("*.py")}
    alone = {"program/provisioner/__init__.py", "program/provisioner/errors.py"}
    assert sent == alone | {f"program/provisioner/checkpoint/{name}" for name in checkpoint}


@pytest.mark.parametrize("own", ["provisioner/__init__.py", "provisioner.py"])
def test_the_programs_own_provisioner_is_not_shadowed(tmp_path: Path, library: str, own: str):
    """Whatever has that name on the program's path is what it gets, be it accelctl installed or something else."""
    (tmp_path / own).parent.mkdir(exist_ok=True)
    (tmp_path / own).write_text("whose = 'mine'")
    assert said(BARE, "import provisioner; print(provisioner.whose)", library, tmp_path) == "mine"


def test_a_folder_of_that_name_is_not_shadowed(tmp_path: Path, library: str):
    """A package without an `__init__`, which Python itself would put last, is there beside ours."""
    (tmp_path / "provisioner").mkdir()
    (tmp_path / "provisioner" / "own.py").write_text("whose = 'mine'")
    source = "from provisioner import own; from provisioner.checkpoint import Saved; print(own.whose, Saved.__name__)"
    assert said(BARE, source, library, tmp_path) == "mine Saved"


@pytest.mark.skipif(bool(subprocess.run(["sh", "-c", "python3.9 -V"], capture_output=True).returncode), reason="no 3.9")
def test_it_runs_on_python_3_9(library: str, tmp_path: Path):
    """Amazon Linux 2023 has no newer one; where there is none here, `make lint` judges what travels by it."""
    assert said("python3.9", SAVES, library, folder=tmp_path) == "step 0 total 0"
