"""Names of contents: what the store keeps a file under, and what every copy of it is verified by.

The name is the SHA-256 of the content. One core hashes about 1 GB a second, and an interruption leaves two minutes:
what is larger than a piece is hashed piece by piece, side by side, and its name is the SHA-256 of the SHA-256 digests
of the pieces, one after the other, then `-` and the size of a piece in bytes. Annotated, since `jobs` verifies by it.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor

from .pieces import Outgoing, together

PIECE = 16 * 1024 * 1024
MOST_PIECES = 9000
"""S3 takes 10 000 parts: a piece is a part of the upload."""
NAME = re.compile(r"[0-9a-f]{64}(?:-([0-9]{8,13}))?")
SIDE_BY_SIDE = ThreadPoolExecutor(os.cpu_count() or 1)


class Content:
    """A name, and the pieces as (start, bytes, SHA-256 in hexadecimal digits)."""

    def __init__(self, name: str, pieces: list[tuple[int, int, str]]) -> None:
        self.name, self.pieces = name, pieces


def content_of(path: str | os.PathLike[str], step: int | None = None) -> Content:
    """Of a file. `step` is the size of a piece, 0 for a file hashed as a whole; what its size asks for by itself.

    Raises Changed where it becomes shorter meanwhile, and OSError.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if step is None:
            step = 0 if size <= PIECE else max(PIECE, size // MOST_PIECES + 1)
        spans = [(start, min(step, size - start)) for start in range(0, size, step)] if step else [(0, size)]
        digests = hashed(file.fileno(), spans)
    name = digests[0].hex() if not step else "%s-%d" % (hashlib.sha256(b"".join(digests)).hexdigest(), step)
    return Content(name, [(start, length, digest.hex()) for (start, length), digest in zip(spans, digests)])


def is_content(path: str | os.PathLike[str], name: str) -> bool:
    """Whether the file is what the name says. Raises ValueError for what is no name, and OSError."""
    return content_of(path, step_of(name)).name == name


def step_of(name: str) -> int:
    """The size of a piece, 0 for a content hashed as a whole. Raises ValueError."""
    told = NAME.fullmatch(name)
    if told is None:
        raise ValueError("no name of a content: %r" % name[:80])
    return int(told[1] or 0)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Of a file as a whole, whatever its size."""
    return content_of(path, 0).name


def hashed(number: int, spans: list[tuple[int, int]]) -> list[bytes]:
    """The SHA-256 digests of parts of an open file."""

    def digest(start: int, length: int) -> bytes:
        return Outgoing(number, start, length).into(hashlib.sha256()).digest()

    if len(spans) == 1:
        return [digest(*spans[0])]
    with together([SIDE_BY_SIDE.submit(digest, *span) for span in spans]) as under_way:
        return [one.result() for one in under_way]
