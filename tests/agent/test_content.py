# pyright: basic
# The agent is untyped on purpose.
"""Names of contents, and what it takes to send a large one."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.agent.content import PIECE, content_of, is_content, sha256_of
from provisioner.agent.manifests import files_of
from provisioner.agent.pieces import Changed, Outgoing
from provisioner.agent.restore import restore
from provisioner.agent.snapshot import Snapshots
from provisioner.agent.store import Store
from tests.agent.test_snapshots import BOARDING, TASK, Memory

LARGE = random.Random(1).randbytes(2 * PIECE + 5)


class Sink(Store):
    """Takes every request as S3 would; `taken` has what arrived whole."""

    def __init__(self) -> None:
        super().__init__(None, "bucket", "us-east-1")
        self.asked: list[str] = []
        self.taken: list[bytes] = []

    def _send(self, method: str, key: str, body: Any = b"", query: Any = None, **_: Any) -> Any:
        self.asked.append(" ".join([method, *(query or {})]))
        if isinstance(body, Outgoing):
            self.taken.append(b"".join(iter(lambda: body.read(1 << 20), b"")))
        return {"etag": "e"}, b"<r><UploadId>u</UploadId></r>"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    (tmp_path / "large").write_bytes(LARGE)
    return tmp_path / "large"


def pieces() -> Iterator[bytes]:
    return (LARGE[start : start + PIECE] for start in range(0, len(LARGE), PIECE))


def test_what_a_name_is(large: Path, tmp_path: Path):
    """Up to a piece the SHA-256; beyond it that of the pieces' digests, with the size of a piece."""
    digests = b"".join(hashlib.sha256(piece).digest() for piece in pieces())
    assert content_of(large).name == f"{hashlib.sha256(digests).hexdigest()}-{PIECE}"
    (tmp_path / "small").write_bytes(LARGE[:PIECE])
    assert content_of(tmp_path / "small").name == hashlib.sha256(LARGE[:PIECE]).hexdigest()


@pytest.mark.parametrize("name", [sha256_of, lambda path: content_of(path).name], ids=["as a whole", "by pieces"])
def test_every_copy_is_verified_by_its_name(large: Path, name: Any):
    """Also by the name that it got when every file was hashed as a whole."""
    told = name(large)
    assert is_content(large, told)
    for wrong in (LARGE[:-1], LARGE + b"x", LARGE[:PIECE] + b"x" + LARGE[PIECE + 1 :], b""):
        large.write_bytes(wrong)
        assert not is_content(large, told)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a" * 63, "a" * 64 + "-1", "a" * 64 + "-x", "A" * 64])
def test_what_is_no_name(large: Path, name: str):
    """A manifest is data: it names a content and nothing else, and chooses no absurd pieces."""
    with pytest.raises(ValueError, match="no name of a content"):
        is_content(large, name)


def test_a_large_file_is_read_twice(large: Path):
    """Once to be named and once to be sent: an interruption leaves little time."""

    def read_so_far() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    store, before = Sink(), read_so_far()
    store.upload("key", str(large), content_of(large))
    assert sorted(store.taken) == sorted(pieces())
    assert store.asked[0] == "POST uploads"
    assert store.asked[-1] == "POST uploadId"
    assert read_so_far() - before < 2.2 * len(LARGE)


@pytest.mark.parametrize("at", [0, PIECE + 1, len(LARGE) - 1])
def test_a_large_file_that_changed_since_it_was_named_is_given_up(large: Path, at: int):
    """The part with the change never arrives whole, and the upload is not completed but aborted."""
    content, store = content_of(large), Sink()
    with large.open("r+b") as file:
        file.seek(at)
        file.write(bytes([LARGE[at] ^ 1]))
    with pytest.raises(Changed):
        store.upload("key", str(large), content)
    assert store.asked[-1] == "DELETE uploadId"
    assert "POST uploadId" not in store.asked


def test_a_large_file_of_an_older_checkpoint_goes_on_under_its_name(tmp_path: Path):
    """What was saved when names were plain comes back, and is not sent again."""
    store, name = Memory(), hashlib.sha256(LARGE).hexdigest()
    file = {"path": "checkpoints/f", "bytes": len(LARGE), "sha256": name, "mode": 0o644, "modified_ns": 1}
    old = {
        "version": 1,
        "sequence": 1,
        "attempt": 1,
        "at": "2026-01-05T12:00:00Z",
        "parts": [{"rank": 0, "files": [file]}],
    }
    store.held = {"jobs/j/checkpoints/00000001.json": json.dumps(old).encode(), f"jobs/j/blobs/{name}": LARGE}
    found = restore(store, "jobs/j/", str(tmp_path))
    assert (tmp_path / "checkpoints" / "f").read_bytes() == LARGE
    saver = Snapshots(store, BOARDING, TASK, str(tmp_path))
    saver.adopt(found.manifests)
    saver.sequence_after(found.highest, [])
    (tmp_path / "checkpoints" / "g").write_text("new")
    assert files_of(saver.take(at_rest=True))[0]["sha256"] == name
    assert len([key for key in store.held if "/blobs/" in key]) == 2
