"""What a job saved, brought to a folder: never outside of it, whatever a machine wrote."""

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import AccelctlError
from provisioner.jobs.fetch import fetch
from provisioner.jobs.objects import Objects, open_objects
from tests.jobs.builders import JOB

LINK = stat.S_IFLNK | 0o777


def saved(objects: Objects, *files: tuple[str, str, bool]) -> None:
    """A checkpoint of (path, content, whether it is a link that leads there)."""
    listed: list[dict[str, Any]] = []
    for path, content, link in files:
        digest = hashlib.sha256(content.encode()).hexdigest()
        objects.put(f"jobs/{JOB}/blobs/{digest}", content.encode())
        listed.append({"path": path, "bytes": len(content), "sha256": digest, "mode": LINK if link else 0o644})
    manifest = {
        "version": 1, "sequence": 1, "job": JOB, "attempt": 1, "world_size": 1, "at": "2026-01-05T12:00:00Z",
        "bytes": 1, "parts": [{"rank": 0, "files": listed}],
    }  # fmt: skip
    objects.put(f"jobs/{JOB}/checkpoints/00000001.json", json.dumps(manifest).encode())


@pytest.fixture
def objects() -> Objects:
    return open_objects("memory://")


def test_files_and_links_within_the_folder_are_brought(objects: Objects, tmp_path: Path) -> None:
    """`latest` is a link again."""
    saved(objects, ("checkpoints/step-1/f", "one", False), ("checkpoints/latest", "step-1", True))
    fetch(objects, JOB, tmp_path / "here", below="", warn=print)

    assert (tmp_path / "here/checkpoints/latest/f").read_text() == "one"
    assert (tmp_path / "here/checkpoints/latest").is_symlink()


@pytest.mark.parametrize(
    "files",
    [
        [("../evil", "x", False)],
        [("a", "/etc", True)],
        [("x/a", "../..", True)],
        [("a/b", "x", False), ("d/e/p", "../../a", True), ("d/e/q", "p/../../..", True), ("d/e/q/evil", "x", False)],
        [("a/b", "x", False), ("c", "a", True), ("c/evil", "x", False)],
    ],
)
def test_nothing_is_written_outside(objects: Objects, tmp_path: Path, files: list[tuple[str, str, bool]]) -> None:
    """Neither by a path, nor by a link, nor by links that only together lead out."""
    saved(objects, *files)

    with pytest.raises(AccelctlError):
        fetch(objects, JOB, tmp_path / "here/there", below="", warn=print)
    assert not list(tmp_path.rglob("evil"))
