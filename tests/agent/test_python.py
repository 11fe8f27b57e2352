# pyright: basic
# The agent is untyped on purpose.
"""`python` and `pip` on images that have neither, or a pip that may not install."""

import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.agent.venv import with_python
from tests.agent.machine import Machine

NO_ENSUREPIP = """#!/bin/sh
case "$*" in *without-pip*) ;; *venv*) echo ensurepip is not available; exit 1 ;; esac
exec /usr/bin/python3 "$@"
"""
"""Debian's python3 without its package python3-venv."""
NO_PIP = """#!/bin/sh
case "$*" in *"import pip"*) echo No module named pip; exit 1 ;; esac
exec /usr/bin/python3 "$@"
"""
"""Amazon Linux's python3 without its package python3-pip."""
NO_VENV = "#!/bin/sh\necho No module named venv\nexit 1\n"


def wheel(folder: Path) -> Path:
    """A package `thing` that installs without a network."""
    path = folder / "thing-1-py3-none-any.whl"
    about = {"METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1\n", "RECORD": "",
             "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing.py", "print('a thing')")
        for name, text in about.items():
            archive.writestr(f"thing-1.dist-info/{name}", text)
    return path


def image(folder: Path, python3: str) -> dict[str, str]:
    """The environment variables of an image that has this and no other Python."""
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").write_text(python3)
    (folder / "bin" / "python3").chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "K": "V"}


def test_setup_and_program_share_a_python(machine: Machine, tmp_path: Path):
    """What `--setup` installs with pip is there for the program, on an image that only has /usr/bin/python3."""
    machine.task["setup"] = f"python --version && pip install --no-index {wheel(tmp_path)}"
    machine.task["command"] = ["python", "-c", "import thing, sys, os; print(os.environ['VIRTUAL_ENV'] == sys.prefix)"]
    plain = replace(machine, image=None)
    assert plain.start().gone()["ended"]["last_lines"][-2:] == ["a thing", "True"]


@pytest.mark.parametrize("python3", [NO_ENSUREPIP, pytest.param(NO_PIP, marks=pytest.mark.full)])
def test_an_image_without_a_part_of_python(tmp_path: Path, python3: str):
    """pip installs into the virtual environment, whoever brought it."""
    found = with_python(image(tmp_path, python3), str(tmp_path), pytest.fail)
    for command in (["pip", "install", "--no-index", str(wheel(tmp_path))], ["python", "-c", "import thing"]):
        done = subprocess.run(["env", *command], env=found, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_an_image_that_can_make_none(tmp_path: Path):
    """The program runs all the same, and the output says why `python` may be missing."""
    said = []
    before = image(tmp_path, NO_VENV)
    assert with_python(before, str(tmp_path), said.append) == before
    assert "No module named venv" in said[0]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_an_image_with_an_environment_of_its_own(tmp_path: Path, mark: str):
    """Its `python` is the one with the frameworks, so nothing is put before it."""
    before = image(tmp_path, NO_VENV)
    (tmp_path / "bin" / "python").symlink_to("python3")
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert with_python(before, str(tmp_path), pytest.fail) == before
