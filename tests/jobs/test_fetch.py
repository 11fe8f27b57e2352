"""What a job saved, brought to a folder: never outside of it, whatever a machine wrote."""

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from provisioner.errors import AccelctlError
from provisioner.jobs.fetch import fetch
from provisioner.jobs.objects import Objects, open_objects
from tests.jobs.builders import JOB

LINK = stat.S_IFLNK | 0o777


def saved(objects: Objects, *files: tuple[str, str, bool], sequence: int = 1) -> None:
    """A checkpoint of (path, content, whether it is a link that leads there)."""
    listed: list[dict[str, Any]] = []
    for path, content, link in files:
        digest = hashlib.sha256(content.encode()).hexdigest()
        objects.put(f"jobs/{JOB}/blobs/{digest}", content.encode())
        listed.append({
            "path": path, "bytes": len(content), "sha256": digest, "mode": LINK if link else 0o644,
            "modified_ns": SAVED_AT + sequence * A_MINUTE,
        })  # fmt: skip
    manifest = {
        "version": 1, "sequence": sequence, "job": JOB, "attempt": 1, "world_size": 1, "at": "2026-01-05T12:00:00Z",
        "bytes": 1, "parts": [{"rank": 0, "files": listed}],
    }  # fmt: skip
    objects.put(f"jobs/{JOB}/checkpoints/{sequence:08}.json", json.dumps(manifest).encode())


SAVED_AT = 5_000_000_000_000_000_000
"""In nanoseconds: later than anything that is written here."""
A_MINUTE = 60 * 10**9


@pytest.fixture
def objects() -> Objects:
    return open_objects("memory://")


def test_files_and_links_within_the_folder_are_brought(objects: Objects, tmp_path: Path) -> None:
    """`latest` is a link again."""
    saved(objects, ("checkpoints/step-1/f", "one", False), ("checkpoints/latest", "step-1", True))
    fetch(objects, JOB, tmp_path / "here", below="", warn=print)

    assert (tmp_path / "here/checkpoints/latest/f").read_text() == "one"
    assert (tmp_path / "here/checkpoints/latest").is_symlink()


def test_a_file_that_was_changed_here_is_set_aside_and_one_that_was_fetched_before_is_replaced(
    objects: Objects, tmp_path: Path
) -> None:
    """Nobody's own work is written over, however often that happens, and though the job has saved later than that."""
    told: list[str] = []
    for sequence, word in enumerate(("one", "two", "three"), 1):
        saved(objects, ("outputs/table", word, False), ("outputs/notes", word, False), sequence=sequence)
        fetch(objects, JOB, tmp_path, warn=told.append)
        (tmp_path / "outputs/notes").write_text(f"mine, after {word}")

    held = {file.name: file.read_text() for file in (tmp_path / "outputs").iterdir()}
    mine = {"notes.yours": "mine, after one", "notes.yours.2": "mine, after two", "notes": "mine, after three"}
    assert held == {"table": "three", **mine}
    assert len(told) == 2


def test_what_was_there_before_the_first_fetch_is_somebodys_own(objects: Objects, tmp_path: Path) -> None:
    """However old it is: a result of last month, or what a checkout brought."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/result").write_text("last month's")
    saved(objects, ("outputs/result", "new", False))
    fetch(objects, JOB, tmp_path, warn=print)

    assert (tmp_path / "outputs/result.yours").read_text() == "last month's"
    assert (tmp_path / "outputs/result").read_text() == "new"


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


class Busy(Objects):
    """The job saves once more while its checkpoint is read, and tidies up."""

    saves = 1

    def chunks(self, key: str) -> Iterator[bytes]:
        if self.saves:
            self.saves -= 1
            saved(self, ("checkpoints/a", "newer", False), sequence=2)
            self.delete(f"jobs/{JOB}/checkpoints/00000001.json")
            self.delete(key)
        yield from super().chunks(key)


def test_a_checkpoint_that_a_running_job_has_replaced_is_not_damaged(tmp_path: Path) -> None:
    """The newer one is brought, and nothing is warned of."""
    objects, warned = Busy(MemoryStore(), name="memory"), list[str]()
    saved(objects, ("checkpoints/a", "older", False))
    brought = fetch(objects, JOB, tmp_path, warn=warned.append)

    assert (tmp_path / "checkpoints/a").read_text() == "newer"
    assert (brought.sequence, brought.damaged, warned) == (2, (), [])


def test_progress_counts_every_byte_that_is_brought(objects: Objects, tmp_path: Path) -> None:
    """Also of what is here already."""
    saved(objects, ("checkpoints/a", "one", False), ("checkpoints/b", "three", False))
    moved: list[tuple[int, int]] = []
    fetch(objects, JOB, tmp_path, warn=print)
    (tmp_path / "checkpoints/a").unlink()
    fetch(objects, JOB, tmp_path, warn=print, brought=lambda more, of: moved.append((more, of)))

    assert (sum(more for more, _ in moved), {of for _, of in moved}) == (8, {8})


def test_nothing_of_a_damaged_checkpoint_is_left_among_what_is_brought(objects: Objects, tmp_path: Path) -> None:
    """All of it is checked before the first file is put in place."""
    saved(objects, ("checkpoints/step-1", "one", False))
    saved(objects, ("checkpoints/step-2", "two", False), ("checkpoints/step-2.more", "more", False), sequence=2)
    objects.delete(f"jobs/{JOB}/blobs/{hashlib.sha256(b'more').hexdigest()}")
    brought = fetch(objects, JOB, tmp_path / "here", warn=print)

    assert (brought.sequence, brought.damaged) == (1, (2,))
    assert [str(path.relative_to(tmp_path / "here")) for path in sorted((tmp_path / "here").rglob("[!.]*"))] == [
        "checkpoints", "checkpoints/step-1"
    ]  # fmt: skip


def test_a_large_file_is_verified_by_the_name_that_its_machine_gave_it(objects: Objects, tmp_path: Path) -> None:
    """Large ones are named by their pieces; with another content under that name the checkpoint is damaged."""
    piece = 16 * 1024**2
    content = b"a" * piece + b"b"
    digests = b"".join(hashlib.sha256(part).digest() for part in (content[:piece], content[piece:]))
    name = f"{hashlib.sha256(digests).hexdigest()}-{piece}"
    file = {"path": "checkpoints/large", "bytes": len(content), "sha256": name}
    parts = [{"rank": 0, "files": [file]}]
    manifest = {"sequence": 1, "attempt": 1, "at": "2026-01-05T12:00:00Z", "bytes": 1, "parts": parts}
    objects.put(f"jobs/{JOB}/checkpoints/00000001.json", json.dumps(manifest).encode())

    objects.put(f"jobs/{JOB}/blobs/{name}", content)
    fetch(objects, JOB, tmp_path / "here", warn=print)
    assert (tmp_path / "here/checkpoints/large").read_bytes() == content

    objects.put(f"jobs/{JOB}/blobs/{name}", content[:-1] + b"c")
    with pytest.raises(AccelctlError, match="damaged"):
        fetch(objects, JOB, tmp_path / "there", warn=print)
