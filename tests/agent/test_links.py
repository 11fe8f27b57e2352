# pyright: basic
# The agent is untyped on purpose.
"""Paths and links of a manifest, which is data: the machine that resumes and `fetch` judge them alike."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from provisioner.agent.content import content_of
from provisioner.agent.links import leads_down, within
from provisioner.agent.restore import restore
from provisioner.errors import AccelctlError
from provisioner.jobs.fetch import fetch
from provisioner.jobs.objects import Objects, open_objects
from tests.agent.test_snapshots import Memory
from tests.jobs.builders import JOB

AT = "2026-01-05T12:00:00Z"
LINK = stat.S_IFLNK | 0o777
WAYS = [
    ("checkpoints/l", "step-1", True),
    ("checkpoints/l", "./step-1", True),
    ("checkpoints/l", "../outputs/x", True),
    ("a/b/l", "../../c", True),
    ("checkpoints/l", "..", False),  # the folder itself: not in it
    ("checkpoints/l", "../..", False),
    ("checkpoints/l", "../../x", False),
    ("checkpoints/l", "./../../x", False),
    ("checkpoints/l", "a/../x", False),  # depends on what `a` is
    ("checkpoints/l", "/etc/passwd", False),
    ("checkpoints/l", "", False),
]
"""Path, where the link there leads, whether that is within the folder."""


def held(tmp_path: Path, prefix: str, path: str, content: str, mode: int) -> dict[str, bytes]:
    """A store with a checkpoint of one file."""
    (tmp_path / "content").write_text(content)
    name = content_of(tmp_path / "content").name
    file = {"path": path, "bytes": 1, "sha256": name, "mode": mode, "modified_ns": 1}
    manifest = {"sequence": 1, "attempt": 1, "at": AT, "bytes": 1, "parts": [{"rank": 0, "files": [file]}]}
    return {
        f"{prefix}checkpoints/00000001.json": json.dumps(manifest).encode(),
        f"{prefix}blobs/{name}": content.encode(),
    }


def resumed(tmp_path: Path, *file: Any) -> bool:
    store = Memory()
    store.held = held(tmp_path, "jobs/j/", *file)
    (tmp_path / "work").mkdir()
    return restore(store, "jobs/j/", str(tmp_path / "work")).manifest is not None


def fetched(tmp_path: Path, *file: Any) -> bool:
    objects: Objects = open_objects("memory://")
    for key, content in held(tmp_path, f"jobs/{JOB}/", *file).items():
        objects.put(key, content)
    try:
        fetch(objects, JOB, Path(), warn=print)
    except AccelctlError:
        return False
    return True


@pytest.mark.parametrize(("path", "leads", "stays"), WAYS)
@pytest.mark.parametrize("root", ["/work", ".", "relative/to"])
def test_what_stays_within(root: str, path: str, leads: str, stays: bool):
    """By its words alone, wherever the folder is."""
    assert within(root, f"{root}/{path}", leads) is stays


@pytest.mark.parametrize("brought", [resumed, fetched])
@pytest.mark.parametrize(("path", "leads", "stays"), WAYS)
def test_a_link_that_leads_out_is_never_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: Any, path: str, leads: str, stays: bool
):
    """One that stays is made by both, into the folder where one stands as well."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert brought(tmp_path, path, leads, LINK) is stays
    assert any((tmp_path / folder / path).is_symlink() for folder in ("here", "work")) is stays


@pytest.mark.parametrize("brought", [resumed, fetched])
@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/tmp/accelctl-evil", "a/../evil", ""])
def test_a_path_that_leads_out_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: Any, path: str
):
    """A path leads down, and down only."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert not leads_down(path)
    assert not brought(tmp_path, path, "x", 0o644)
    assert not [*tmp_path.rglob("*evil"), *Path("/tmp").glob("accelctl-evil")]
