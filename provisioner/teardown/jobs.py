"""The jobs of a teardown, as they were shown: what begins after that is none of them, and is left."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import chain

from provisioner.clouds.base import NOWHERE
from provisioner.domain.jobs import JobRecord
from provisioner.domain.leftovers import Leftover
from provisioner.errors import AccelctlError, ConfigError
from provisioner.jobs import names
from provisioner.jobs.cancel import ask_to_cancel
from provisioner.jobs.objects import Objects
from provisioner.jobs.observing import regions_of, regions_of_live
from provisioner.jobs.records import STORE, JobMissing, Records, prefix

LAST = 100
"""A record goes after everything that it tells of."""


class Jobs:
    """`shown` are those chosen when this was made."""

    def __init__(self, objects: Objects, chosen: Callable[[JobRecord], bool]) -> None:
        self._objects, self._records, self._chosen = objects, Records(objects), chosen
        self.shown = [one for one in self._records.all() if chosen(one)]

    @property
    def open(self) -> list[JobRecord]:
        """Of those shown, the ones that were not over then."""
        return [one for one in self.shown if one.ended_at is None]

    def running(self, unseen: Mapping[str, AccelctlError]) -> list[JobRecord]:
        """Those whose newest machine may have a program on it, and is where somebody can look."""
        return [one for one in self.open if (places := regions_of_live(one)) and not places & unseen.keys()]

    def end(self, now: datetime) -> None:
        """No stepper may buy again what is about to go: the records say so first."""
        for one in self.open:
            ask_to_cancel(self._records, one.id, now)

    def closing(self, unseen: Mapping[str, AccelctlError]) -> tuple[list[JobRecord], list[JobRecord]]:
        """The open ones of which all can be seen, to be stepped to their end, and those that stay open."""
        hidden = [one for one in self.open if unseen.keys() & {*regions_of(one), NOWHERE}]
        return [one for one in self.open if one not in hidden], hidden

    def begun(self) -> list[Leftover]:
        """Open now, and not when they were shown."""
        asked = {one.id for one in self.open}
        begun = [one for one in self._records.open() if self._chosen(one) and one.id not in asked]
        return [Leftover(kind="job", id=one.id, region=one.store_region, labels={}, order=LAST) for one in begun]

    def forget(self, *, everything: bool) -> None:
        """What the store keeps of them; with `everything` all that jobs leave in it."""
        for one in self.shown:
            names.forget(self._objects, one.spec.name, one.id)
        for key in () if everything else self._unshared():
            if key not in self._asked_for():  # by a job that has begun since
                self._objects.delete(key)
        whole = {f"{root}/": rest for root, rest in STORE.items()}
        for start, rest in (whole if everything else {prefix(one.id): ".+" for one in self.shown}).items():
            for stored in self._objects.listing(start):
                if re.fullmatch(rest, stored.key.removeprefix(start)):
                    self._objects.delete(stored.key)

    def _asked_for(self) -> set[str]:
        return {one.spec.workdir.key for one in self._records.open() if one.spec.workdir}

    def _unshared(self) -> set[str]:
        """Their work folders that no other job names; none where a job's record cannot be read."""
        going = {one.id for one in self.shown}
        held = {one.spec.workdir.key for one in self.shown if one.spec.workdir}
        for job in chain(self._records.ids(), self._records.open_ids()):  # the open ones last: one may have just begun
            try:
                other = None if job in going else self._records.read(job).record.spec.workdir
            except JobMissing:
                continue
            except ConfigError:
                return set()
            held -= {other.key} if other else set()
        return held
