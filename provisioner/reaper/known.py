"""The job records of a store, each read once for as long as one look lasts."""

import threading
from collections.abc import Iterator
from functools import cached_property

from provisioner.domain.jobs import JobRecord
from provisioner.errors import AccelctlError
from provisioner.jobs.records import JobMissing, Records, Unreadable


class KnownJobs:
    """Reads what is asked for, once. A damaged record is there all the same, and never stops the others."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._read: dict[str, JobRecord | AccelctlError] = {}
        self._lock = threading.RLock()

    def again(self) -> "KnownJobs":
        """The same store, nothing read yet."""
        return KnownJobs(self._records)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Raises CloudError."""
        return frozenset(self._records.ids())

    def find(self, job: str) -> JobRecord | None:
        """None where there is none. Raises AccelctlError for one that cannot be read."""
        with self._lock:
            found = self._once(job)
        if isinstance(found, AccelctlError):
            raise found
        return found

    def _once(self, job: str) -> JobRecord | AccelctlError | None:
        if job in self.ids and job not in self._read:
            try:
                self._read[job] = self._records.read(job).record
            except JobMissing:
                return None
            except AccelctlError as problem:
                self._read[job] = problem
        return self._read.get(job)

    def open(self) -> Iterator[JobRecord | Unreadable]:
        """Those that have not ended, oldest first, and those that nobody can tell of."""
        for job in self._records.open_ids():
            try:
                record = self.find(job)
            except AccelctlError as problem:
                yield Unreadable(job=job, problem=problem.message)
                continue
            if record is not None and record.ended_at is None:
                yield record
