"""A job's lease: whoever writes the record by it leads the job for a while, and each such write renews that."""

from dataclasses import replace

from provisioner.clock import Clock
from provisioner.domain.jobs import JobRecord, Lease
from provisioner.jobs.records import Held, LostRace, Records


class Leases:
    """Those of one process, which `holder` names."""

    def __init__(self, records: Records, clock: Clock, holder: str) -> None:
        self._records, self._clock, self.holder = records, clock, holder

    def led_by_other(self, record: JobRecord) -> bool:
        lease = record.lease
        return lease is not None and lease.holder != self.holder and lease.until > self._clock.now()

    def write(self, held: Held, record: JobRecord) -> Held:
        """Writes the record with the lease renewed. Raises LostRace."""
        lease = Lease(holder=self.holder, until=self._clock.now() + record.spec.pace.lease)
        return self._records.write(held, replace(record, lease=lease))

    def secured(self, held: Held) -> Held:
        """With at least half of a lease ahead: what follows takes its time. Raises LostRace."""
        lease = held.record.lease
        enough = self._clock.now() + held.record.spec.pace.lease / 2
        if lease is not None and lease.holder == self.holder and lease.until > enough:
            return held
        return self.write(held, held.record)

    def release(self, job: str) -> None:
        """Gives the lease back, so that the next process need not wait for its end."""
        held = self._records.read(job)
        if held.record.lease is not None and held.record.lease.holder == self.holder:
            try:
                self._records.write(held, replace(held.record, lease=None))
            except LostRace:
                return
