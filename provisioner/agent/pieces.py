"""Parts of files on their way to and from the store, block by block: the machine's memory is the program's."""

import contextlib
import hashlib
import os
from concurrent.futures import wait

BLOCK = 256 * 1024


class Changed(Exception):
    """A file is no longer what it was when it was hashed."""


class Outgoing:
    """A part of an open file as the body of a request.

    With a hash, the last block is given only if all of it was what it should be: the request is never completed else.
    """

    def __init__(self, number, start, size, sha256=""):
        self._number, self._start, self._size, self.sha256 = number, start, size, sha256
        self.rewind()

    def __len__(self):
        return self._size

    def rewind(self):
        self._at, self._seen = self._start, hashlib.sha256()

    def read(self, most):
        """As http.client asks for it. Raises Changed."""
        left = self._start + self._size - self._at
        block = os.pread(self._number, min(most, left), self._at)
        self._at += len(block)
        if self.sha256:
            self._seen.update(block)
        cut, over = left and not block, left == len(block)
        if cut or (over and self.sha256 not in ("", self._seen.hexdigest())):
            raise Changed("at byte %d" % self._at)
        return block

    def into(self, seen):
        """Adds all of it to a hash. Raises Changed."""
        self.rewind()
        for block in iter(lambda: self.read(BLOCK), b""):
            seen.update(block)
        return seen


class Incoming:
    """A part of an object on its way into an open file; after a break it goes on where it was."""

    def __init__(self, number, start, end):
        self._number, self.at, self._end = number, start, end
        self.total = None
        """Bytes of the whole object, once an answer has come."""

    def wanted(self):
        return {"range": "bytes=%d-%d" % (self.at, self._end - 1)}

    def take(self, answer):
        """Writes what a 206 brings, or a 200, which is everything."""
        if answer.status == 200:
            self.at, self._end = 0, int(answer.getheader("Content-Length"))
        self.total = int((answer.getheader("Content-Range") or str(self._end)).rpartition("/")[2])
        for block in iter(lambda: answer.read(BLOCK), b""):
            while block:
                written = os.pwrite(self._number, block, self.at)
                self.at, block = self.at + written, block[written:]

    @property
    def whole(self):
        return self.total is not None and self.at >= min(self._end, self.total)


@contextlib.contextmanager
def together(under_way):
    """What has not begun when one of them fails is left."""
    try:
        yield under_way
    finally:
        for one in under_way:
            one.cancel()
        wait(under_way)
