"""What a rule may know of one resource that carries machines. Any fact may be not known yet: a third outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from typing import Any, TypeVar

from provisioner.rules.timetables import Timetable

T = TypeVar("T")


class Unknown(Enum):
    """A value that only `up` will know."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


class NotYetKnown(Exception):
    """A rule needed a fact that is not known yet, or that cannot be seen from the resource: its text says which."""


class Capacity(StrEnum):
    """How machines are bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    CAPACITY_BLOCK = "capacity-block"
    RESERVATION = "reservation"


class Part(StrEnum):
    """What a resource is, as far as the rules care."""

    MACHINE = "machine"
    REAPER = "reaper"
    ENDER = "ender"
    OPENER = "opener"
    NETWORK = "network"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One resource. `usd_per_hour` is of one machine, None where it is not known; a fact may be UNKNOWN."""

    subject: str
    cloud: str
    instance_types: tuple[str, ...] | Unknown
    region: str | Unknown = UNKNOWN
    """Empty for any."""
    capacity: Capacity | Unknown = Capacity.ON_DEMAND
    ends_at: datetime | Unknown | None = None
    """The moment at which the cloud, the reaper or a schedule ends it: a label that nothing heeds is none."""
    lasts: timedelta | Unknown | None = None
    """The longest run that the cloud itself allows, from each start."""
    machine: str | Unknown = UNKNOWN
    """Its name in the cloud, in small letters; of a schedule, that of the machine which it ends."""
    scheduled_end: bool = False
    """Nothing but a schedule in its stack keeps its end."""
    otherwise: str = ""
    """How this type is bought or ended, where it would stay for ever: advice; empty for the usual way."""
    group: bool = False
    """It makes machines by itself: a scaling group, a fleet, a node group."""
    least: int | Unknown = 0
    """The least number of machines that a group keeps."""
    smallest: int | Unknown | None = None
    """The size below which nothing can bring a scaling group, or to which a schedule sets that; None for as it is."""
    unit: str = "machine"
    """What the least counts."""
    most: int | Unknown | None = None
    """The largest number of machines that a group may have; None where it has no such limit."""
    scheduled: bool | Unknown = False
    """Something brings a group down at set times."""
    labels: Mapping[str, str] | Unknown = field(default_factory=dict[str, str])
    takes_labels: bool = True
    public_address: bool | Unknown = False
    token_only_metadata: bool | Unknown = True
    encrypted: bool | Unknown = True
    leaves_behind: str | Unknown = ""
    """What would stay when it is deleted: machines, volumes; empty for nothing."""
    protected: bool | Unknown = False
    persistent: bool | Unknown = False
    """A spot request that buys again after an interruption."""
    pinned: bool | Unknown = True
    """What is paid for beforehand is kept from being bought again, or thrown away, by a change of its inputs."""
    stopped: bool = False
    """It stands there switched off, and costs its disks alone."""
    there: bool = False
    """It stands in an account already, and is not only asked for."""
    reserves: bool = False
    """It is capacity that others run in: it costs, and is no machine."""
    reserved: bool = False
    """It runs in capacity that is paid for by itself."""
    blueprint: bool = False
    """A template: what is made from it counts, not itself."""
    from_template: bool = False
    """Its type is its template's."""
    template: str | Unknown = ""
    """The id or the name of what it is launched from, in small letters."""
    ids: tuple[str | Unknown, ...] = ()
    """Of a machine or a template of EC2: by what it is called in the cloud; of a schedule, what it ends."""
    hands_on: Mapping[str, str] | Unknown = field(default_factory=dict[str, str])
    """Of a template: the labels of what is launched from it; its own are not among them."""
    part: Part = Part.MACHINE
    runs: Timetable | Unknown | None = None
    """When a schedule does what it does; None for never."""
    fault: str | Unknown = ""
    """What is wrong with something that is no machine, and how to mend it."""
    restarts: bool | Unknown = False
    """It asks to be started again, which no spot machine can."""
    asked_wrongly: str | Unknown = ""
    """What is wrong with its price limit or its eviction, and how to mend it."""
    usd_per_hour: Decimal | None = None
    at_most: Decimal | None = None
    """USD per hour that it stays below, where its price is not known."""
    accelerated: bool = False
    """Surely with accelerators, which are dear together even where each is cheap."""
    pools: tuple["Facts", ...] = ()
    """What it holds, each a group of its own; empty for what is one thing."""

    @property
    def members(self) -> tuple["Facts", ...]:
        """What is judged and priced by itself."""
        return self.pools or (self,)


def above(limit: Any, on_demand: Decimal | None) -> str | Unknown:
    """What is wrong with the most that spot may cost, in USD per hour: -1 and none say what on demand costs."""
    if limit is None or isinstance(limit, Unknown) or on_demand is None:
        return UNKNOWN if isinstance(limit, Unknown) else ""
    try:
        high = Decimal(str(limit)) > on_demand
    except InvalidOperation:
        return f"its highest price '{limit}' is no number"
    return f"its highest price of ${limit} is above the ${on_demand} of on demand; leave it out" if high else ""


def known(value: T | Unknown) -> T:
    """The value. Raises NotYetKnown."""
    if isinstance(value, Unknown):
        raise NotYetKnown
    return value
