"""What is known of one machine when it is judged. Missing is not zero; what could not be read is named."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from provisioner.domain.estate import AcceleratorKind, Metric, OwnerKind, Series, Tenure
from provisioner.domain.instances import Instance
from provisioner.domain.reports import Phase


class JobStanding(StrEnum):
    """What the record says of the job that a machine is labelled with."""

    NONE = "none"
    """The machine carries no job label."""
    LIVE = "live"
    """The job's newest attempt is this machine's."""
    OVER = "over"
    """There is no such record, it has ended, or it has gone on without this machine."""
    ELSEWHERE = "elsewhere"
    """Another store launched it: only that one can tell."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What the agent said last. `silent` holds why a device gives no utilisation, such as MIG."""

    at: datetime
    phase: Phase
    silent: tuple[str, ...] = ()
    devices: tuple[float | None, ...] = ()
    """Each accelerator's highest percent of its newest five minutes."""
    memory: tuple[float | None, ...] = ()
    """How much of each one's memory was held at most, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The first phase: the machine is told of, and what was found."""

    at: datetime
    token: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One machine. `unreadable` names what could not be read; anything there and nothing is done to the machine."""

    instance: Instance
    accelerator: AcceleratorKind
    devices: int | None = None
    """How many accelerators its type has; None where nobody knows."""
    tenure: Tenure
    owner: OwnerKind = OwnerKind.NOBODY
    owner_name: str = ""
    series: tuple[Series, ...] = ()
    heartbeat: Heartbeat | None = None
    job: JobStanding = JobStanding.NONE
    session_open: bool | None = None
    """Somebody is logged in; None where nobody can tell."""
    mark: Mark | None = None
    price_per_hour: Decimal | None = None
    on_demand_per_hour: Decimal | None = None
    """What its type costs on demand there, whatever was paid."""
    local_disks: bool = False
    """Their contents go with a stop."""
    instance_store_root: bool = False
    request: str = ""
    """The persistent request that would launch it again: it goes first."""
    unreadable: tuple[str, ...] = ()

    def of(self, metric: Metric) -> tuple[Series, ...]:
        return tuple(series for series in self.series if series.metric is metric)
