"""A program's output, over all attempts, in order."""

from collections.abc import Iterator

from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.progress import LogObject, Progress


class Output:
    """Reads a job's output from where the last read ended; with `after`, only of attempts behind that one."""

    def __init__(self, objects: Objects, job: str, *, after: int = 0) -> None:
        self._objects = objects
        self._progress = Progress(objects)
        self._job = job
        self._after = after
        self._read: dict[str, int] = {}

    def new(self) -> Iterator[tuple[LogObject, bytes]]:
        """What came since the last call, with where it is from."""
        for log in self._progress.logs(self._job):
            start = self._read.get(log.key, 0)
            if log.attempt <= self._after or log.size <= start:
                continue
            try:
                text = self._objects.get_from(log.key, start) if start else self._objects.get(log.key)
            except ObjectMissing:
                continue
            self._read[log.key] = start + len(text)
            yield log, text
