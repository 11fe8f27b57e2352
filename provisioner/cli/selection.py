"""What a teardown is about: one job, an owner, labels, or everything."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.catalog import labels
from provisioner.domain.jobs import JobRecord
from provisioner.domain.leftovers import Leftover
from provisioner.errors import ConfigError
from provisioner.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`job` is the one job's id; `marks` are labels that a thing must carry; neither: everything."""

    job: str = ""
    marks: Mapping[str, str] = field(default_factory=dict[str, str])
    names: frozenset[str] = frozenset()
    """Names of what lives under a job's name instead of labels."""

    @property
    def everything(self) -> bool:
        return not self.job and not self.marks

    def chosen(self, leftover: Leftover) -> bool:
        """Whether it goes; what is selected by job is found by the cloud."""
        return not self.marks or leftover.id in self.names or self.carried(leftover.labels)

    def of(self, record: JobRecord) -> bool:
        if self.job:
            return record.id == self.job
        mine = labels.ours(job=record.id, name=record.spec.name, owner=record.owner, **record.spec.labels)
        return not self.marks or self.carried(mine)

    def carried(self, held: Mapping[str, str]) -> bool:
        """With or without our prefix."""
        return all(value in (held.get(key), held.get(f"accelctl:{key}")) for key, value in self.marks.items())


def selected(place: Workplace, *, job: str, owner: str, marks: tuple[str, ...], everything: bool) -> Selection:
    """Raises ConfigError unless exactly one way to choose was given."""
    ways = [bool(job), bool(owner or marks), everything]
    if sum(ways) != 1:
        raise ConfigError(
            "name a job, or say --owner, --label or --everything; one of them.",
            hint="'accelctl status' lists the jobs.",
        )
    if job:
        return Selection(job=place.records.find_one(job).id)
    wanted = dict(pair(text) for text in marks) | ({"owner": owner} if owner else {})
    if not wanted or place.cloud.job_store() is None:
        return Selection(marks=wanted)
    mine = Selection(marks=wanted)
    return Selection(marks=wanted, names=frozenset(one.identity for one in place.records.all() if mine.of(one)) - {""})


def pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ConfigError(f"--label: '{text}' is not KEY=VALUE.", hint="such as --label team=vision.")
    return key, value
