"""What a function is packed into: the same bytes each time, and nothing but what a round needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

from provisioner.functions.bundle import HANDLER, build
from provisioner.sandbox.functions import linked_runtime

LIMIT = 50 * 2**20
"""Bytes of a zip that Lambda takes directly."""


def test_the_bundle_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    """So that `up` changes a function only when its sources change."""
    first, second = build(tmp_path / "first.zip").read_bytes(), build(tmp_path / "second.zip").read_bytes()

    assert first == second
    assert len(first) < LIMIT


def test_the_bundle_holds_no_room_that_a_round_does_not_enter(tmp_path: Path) -> None:
    """No command line, no sandbox, no compiled leftovers."""
    names = zipfile.ZipFile(build(tmp_path / "one.zip")).namelist()
    rooms = {name.split("/")[1] for name in names if name.startswith("provisioner/")}

    assert not {"cli", "sandbox", "checkpoint", "rules", "teardown"} & rooms
    assert not [name for name in names if name.endswith(".pyc")]


def test_a_bare_python_can_import_the_handler(tmp_path: Path) -> None:
    """With the zip's own content and the packages of Lambda's runtime, and no other."""
    zipfile.ZipFile(build(tmp_path / "one.zip")).extractall(tmp_path / "unpacked")
    linked_runtime(tmp_path / "runtime")
    script = f"import sys; sys.path[:0] = ['{tmp_path}/unpacked', '{tmp_path}/runtime']; import {HANDLER[:-8]}"
    bare = [sys.executable, "-I", "-S", "-c", f"{script}; import provisioner.clouds.aws, obstore"]
    done = subprocess.run(bare, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"}, timeout=60)

    assert done.returncode == 0, done.stderr
