"""Objects in a bucket or a folder: S3, GCS, Azure Blob, memory and a local folder by the same code (obstore).

The one door through which the store's errors become ours.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.errors import CloudUnavailable, ConfigError, PermissionDenied

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = logging.getLogger(__name__)

PIECE = 8 * 1024**2
PIECES_AT_ONCE = 4
"""Large objects move in pieces, few of them at a time where they are sent: each is short even where the line is slow,
and one that broke off is small enough to be moved again."""
PIECE_TRIES = 3
ONE_AT_A_TIME = threading.RLock()
"""obstore 0.12 ends the whole process now and then when several threads call it at once with keys from Python."""
SLOW = 10.0
"""Seconds of silence after which a person wants to know what is waited for."""
RETRY = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


class ObjectMissing(Exception):
    """No object of that key."""


class ObjectChanged(Exception):
    """The object is not the one that was to be replaced, or exists already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object in a listing."""

    key: str
    size: int
    modified_at: datetime


class Objects:
    """Whole objects by key. Raises CloudUnavailable, PermissionDenied or ConfigError when the store fails."""

    def __init__(self, store: "ObjectStore", *, name: str, folder: Path | None = None, slow: float = SLOW) -> None:
        """Of a call that takes more than `slow` seconds there is a warning."""
        self._store = store
        self._folder = folder
        self._slow = slow
        self.name = name

    def get(self, key: str) -> bytes:
        """Raises ObjectMissing."""
        return self.get_tagged(key)[0]

    def get_tagged(self, key: str) -> tuple[bytes, str]:
        """The content and its entity tag. Raises ObjectMissing."""
        import obstore

        with self._soon(key):
            result = obstore.get(self._store, key)
            return bytes(result.bytes()), result.meta["e_tag"] or ""

    def get_from(self, key: str, start: int) -> bytes:
        """What lies at `start` and after. Raises ObjectMissing."""
        import obstore

        with self._translated(key):
            return bytes(obstore.get(self._store, key, options={"range": {"offset": start}}).bytes())

    def chunks(self, key: str) -> Iterator[bytes]:
        """The content piece by piece, for what may not fit into memory. Raises ObjectMissing."""
        import obstore

        with self._translated(key):
            size = obstore.head(self._store, key)["size"]
        for start in range(0, size, PIECE):
            yield self._piece(key, start, min(start + PIECE, size))

    def _piece(self, key: str, start: int, end: int) -> bytes:
        """The bytes from start to end; one that breaks off half-way is asked for again."""
        import obstore

        for left in reversed(range(PIECE_TRIES)):
            try:
                with self._translated(key):
                    return bytes(obstore.get_range(self._store, key, start=start, end=end))
            except CloudUnavailable:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def put(self, key: str, content: bytes | Path) -> None:
        """Creates or overwrites."""
        import obstore

        with self._translated(key):
            obstore.put(self._store, key, content, chunk_size=PIECE, max_concurrency=PIECES_AT_ONCE)

    def create(self, key: str, content: bytes) -> str:
        """The new entity tag. Raises ObjectChanged where the key is taken."""
        import obstore

        with self._soon(key):
            return obstore.put(self._store, key, content, mode="create")["e_tag"] or ""

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Compare-and-swap: the new tag. Raises ObjectChanged where the object is no longer the one tagged `tag`."""
        import obstore

        if self._folder is not None:
            return self._replace_file(self._folder, key, content, tag=tag)
        with self._soon(key):
            return obstore.put(self._store, key, content, mode={"e_tag": tag})["e_tag"] or ""

    def exists(self, key: str) -> bool:
        import obstore

        try:
            with self._soon(key):
                obstore.head(self._store, key)
        except ObjectMissing:
            return False
        return True

    def listing(self, prefix: str) -> Iterator[Stored]:
        """Everything below the prefix, every page, in order of key."""
        import obstore

        with self._soon(prefix):
            rows = [row for page in obstore.list(self._store, prefix) for row in page]  # pyright: ignore[reportUnknownMemberType] - arrow overloads
        for row in sorted(rows, key=lambda row: row["path"]):
            yield Stored(key=row["path"], size=row["size"], modified_at=row["last_modified"])

    def folders(self, prefix: str) -> list[str]:
        """Names directly below the prefix that have something below them."""
        import obstore

        with self._soon(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)  # pyright: ignore[reportUnknownMemberType] - the same
        return sorted(found["common_prefixes"])

    def delete(self, key: str) -> None:
        """Already gone is success."""
        import obstore

        try:
            with self._translated(key):
                obstore.delete(self._store, key)
        except ObjectMissing:
            return

    def _replace_file(self, folder: Path, key: str, content: bytes, *, tag: str) -> str:
        """A folder has no compare-and-swap of its own: a lock makes the comparison and the write one."""
        with locked(folder):
            if self.get_tagged(key)[1] != tag:
                raise ObjectChanged(key)
            self.put(key, content)
            return self.get_tagged(key)[1]

    @contextmanager
    def _translated(self, key: str) -> Generator[None]:
        from obstore import exceptions as raw

        try:
            with ONE_AT_A_TIME:
                yield
        except FileNotFoundError:
            raise ObjectMissing(key) from None
        except (raw.AlreadyExistsError, raw.PreconditionError):
            raise ObjectChanged(key) from None
        except (raw.PermissionDeniedError, raw.UnauthenticatedError) as error:
            raise PermissionDenied(
                f"the job store {self.name} refused access to {key}.",
                hint="these credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on it.",
            ) from error
        except (raw.BaseError, OSError) as error:
            raise CloudUnavailable(
                f"the job store {self.name} did not answer: {reason(error)}.", hint="try again in a moment."
            ) from error

    @contextmanager
    def _soon(self, key: str) -> Generator[None]:
        """As `_translated`, for what takes no time of itself: a store that keeps one waiting is told of."""
        told = "the job store %s has not answered for %g s; it is asked a little longer"
        timer = threading.Timer(self._slow, log.warning, (told, self.name, self._slow))
        timer.daemon = True
        with self._translated(key):  # our own turn has come: what is waited for now is the store
            timer.start()
            try:
                yield
            finally:
                timer.cancel()


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """One process at a time; the kernel drops the lock of one that dies."""
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def reason(error: Exception) -> str:
    """The end of obstore's first line: before it come address, retries and durations."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line.rsplit("  - ", 1)[-1].rstrip(".")


def open_objects(url: str, *, region: str = "", credentials: Any = None, slow: float = SLOW) -> Objects:
    """The store at s3://bucket, gs://bucket, az://container, file:///folder or memory://.

    `credentials` is an obstore credential provider; without it the store's own chain is used.
    """
    from obstore import store

    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        return Objects(store.MemoryStore(), name=url)
    if scheme == "file":
        folder = Path(rest)
        folder.mkdir(parents=True, exist_ok=True)
        return Objects(store.LocalStore(folder), name=url, folder=folder)
    if scheme not in ("s3", "gs", "az") or not rest:
        raise ConfigError(f"store: '{url}' is not an address of a job store.", hint="use s3://bucket.")
    options: dict[str, Any] = {"retry_config": RETRY, "client_options": client_options()}
    if scheme == "s3" and region:
        options["region"] = region
    if credentials is not None:
        options["credential_provider"] = credentials
    return Objects(store.from_url(url, **options), name=url, slow=slow)


def client_options() -> dict[str, Any]:
    """A server that says nothing for a minute is gone; plain http only where the standard endpoint setting names it."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {
        "timeout": timedelta(minutes=10), "read_timeout": timedelta(seconds=60),
        "connect_timeout": timedelta(seconds=10), "allow_http": plain,
    }  # fmt: skip
