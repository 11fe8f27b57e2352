"""Finds what is ours on AWS, and removes it: the table of kinds, and what lives outside EC2's labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from provisioner.catalog import labels
from provisioner.catalog.foundation import BOUNDARY, JOBS, MARKERS, NETWORK
from provisioner.catalog.tariffs import tariff
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, is_gone, translated
from provisioner.clouds.aws.estate import THERE
from provisioner.clouds.aws.identity import Identities
from provisioner.clouds.aws.kinds import BY_NAME, KINDS, PLACEMENT, Kind
from provisioner.clouds.aws.offerings import on_demand_price
from provisioner.clouds.aws.sessions import Sessions, camel, rows
from provisioner.clouds.aws.store import BucketStore
from provisioner.clouds.base import NOWHERE, Leftover
from provisioner.clouds.regions import each_region
from provisioner.errors import CloudError, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """A kind that is not listed by label: it lives under a name or a path of ours."""

    name: str
    order: int
    made_by: str
    marked: str
    found: str
    removed: str


IDENTITY = Unlabelled(
    name="identity", order=25, made_by="a job", marked=f"path `{JOBS}`, labels in the create call",
    found="`ListRoles`, `ListInstanceProfiles` by path", removed="`DeleteInstanceProfile`, `DeleteRole`",
)  # fmt: skip
MARKER = Unlabelled(
    name="prepared-region", order=64, made_by="`setup`", marked=f"key `{MARKERS}` in the job store",
    found="`ListObjectsV2`; last of its region", removed="`DeleteObject`",
)  # fmt: skip
LIMIT = Unlabelled(
    name="boundary", order=70, made_by="`setup`", marked=f"name `{BOUNDARY}`, labels in the create call",
    found="`GetPolicy` by name", removed="`DeletePolicy`",
)  # fmt: skip
BUCKET = Unlabelled(
    name="bucket", order=90, made_by="`setup`", marked="name `accelctl-<account>`, or our label on one of another name",
    found="`HeadBucket`; with `--with-data`, last of all", removed="`DeleteObjects`, `DeleteBucket`",
)  # fmt: skip

HOURS_PER_MONTH = 730


class Inventory:
    """What is ours in one account."""

    def __init__(self, sessions: Sessions, store: BucketStore, identities: Identities) -> None:
        self._sessions, self._store, self._identities = sessions, store, identities

    def leftovers(self, *, job: str, regions: Iterable[str], data: bool) -> Iterator[Leftover]:
        """Of the job; of everything where none is named. The bucket comes last: it holds the marks of the regions."""
        found = 0
        for leftover in each_region(lambda region: self._below(job, region), chain([NOWHERE], regions)):
            found += 1
            yield leftover
        store = self._store.find() if data and not job and not found else None
        if store and self._store.ours:
            yield self._unlabelled(BUCKET, self._store.bucket, store.region)

    def beside_machines(self, region: str) -> Iterator[Leftover]:
        """Everything else of one region; of no region, what belongs to none."""
        if not region:
            yield from self._below("", NOWHERE)
        for kind in KINDS if region else ():
            if kind.name != "instance":
                yield from self._of_kind(kind, region, "")

    def _below(self, job: str, region: str) -> Iterator[Leftover]:
        if region:
            yield from self._in_region(region, job)
        else:
            yield from self._in_no_region(job)

    def _in_no_region(self, job: str) -> Iterator[Leftover]:
        for name in self._identities.names():
            if job in ("", name.removeprefix("accelctl-")):
                yield self._unlabelled(IDENTITY, name)
        limit = None if job else self._identities.boundary()
        if limit is not None and labels.STACK not in limit:
            yield self._unlabelled(LIMIT, BOUNDARY)

    def _in_region(self, region: str, job: str) -> Iterator[Leftover]:
        """The region's mark comes only once nothing else of it is left: without it nobody would look there again.

        Where the region's network is a stack's, so is the mark; one that no setup was begun in has none.
        """
        found = 0
        for kind in KINDS:
            for leftover in self._of_kind(kind, region, job) if kind.job or not job else ():
                found += 1
                yield leftover
        marked = not job and not found and region in self._store.marked_regions()
        if marked and not self._stacks_network(region):
            yield self._unlabelled(MARKER, region, region)

    def _of_kind(self, kind: Kind, region: str, job: str) -> Iterator[Leftover]:
        for item in self._items(kind, region, job):
            yield Leftover(
                kind=kind.name, id=item[kind.id], region=region, labels=tags.read(item.get("Tags")), order=kind.order,
                price_per_hour=hourly_of(kind, item, region), state=state_of(item),
            )  # fmt: skip

    def _stacks_network(self, region: str) -> bool:
        held = [tags.read(one.get("Tags")) for one in self._all(BY_NAME["vpc"], region)]
        return any(marks.get(labels.KIND) == NETWORK and labels.STACK in marks for marks in held)

    def _unlabelled(self, kind: Unlabelled, id: str, region: str = "") -> Leftover:
        return Leftover(kind=kind.name, id=id, region=region, labels=labels.ours(), order=kind.order)

    def _items(self, kind: Kind, region: str, job: str = "") -> list[Any]:
        """Ours of that kind, the job's only where one is named; what a stack owns is the stack's."""
        return [one for one in self._all(kind, region, job) if labels.STACK not in tags.read(one.get("Tags"))]

    def stacks(self, regions: Sequence[str]) -> Counter[str]:
        """How many things each stack owns, there and in no region; a kept bucket alone is none."""
        held = [marks for region in regions for marks in (self._labels_in(region) if region else self._labels_once())]
        found = Counter(marks[labels.STACK] for marks in held if labels.STACK in marks)
        if found[owner := self._store.stack]:  # a stack keeps the bucket when it goes: alone it is no work for Pulumi
            found[owner] += 1
        return +found

    def _labels_in(self, region: str) -> list[Mapping[str, str]]:
        return [tags.read(one.get("Tags")) for kind in KINDS for one in self._all(kind, region)]

    def _labels_once(self) -> list[Mapping[str, str]]:
        return [self._identities.boundary() or {}]

    def _all(self, kind: Kind, region: str, job: str = "") -> list[Any]:
        ec2, wanted = self._sessions.ec2(region), {labels.JOB: job} if job else {}
        if kind.name == "fleet":
            found = fleets(ec2, job)
        else:
            found = rows(ec2, kind.describe, kind.items, Filters=tags.matching(wanted))
        if kind.name == "instance":
            found = [instance for reservation in found for instance in reservation["Instances"]]
        if kind.name == PLACEMENT:
            held = occupied(ec2, [group["GroupName"] for group in found])
            found = [group | ({"State": "in-use"} if group["GroupName"] in held else {}) for group in found]
        return [one for one in found if state_of(one) not in kind.gone or comes_back(one)]

    def remove(self, leftover: Leftover) -> None:
        """Looks at the mark again first. Already gone is success; a refusal is a CloudError, whatever it is."""
        special: dict[str, Callable[[], None]] = {
            IDENTITY.name: lambda: self._identities.remove(leftover.id),
            MARKER.name: lambda: self._store.unmark(leftover.region),
            LIMIT.name: self._identities.remove_boundary,
            BUCKET.name: self._store.remove,
        }
        if leftover.kind in special:
            return special[leftover.kind]()
        return self._remove_labelled(BY_NAME[leftover.kind], leftover)

    def _remove_labelled(self, kind: Kind, leftover: Leftover) -> None:
        if not self._is_there(kind, leftover):
            return
        try:
            with translated(f"ec2:{camel(kind.remove)}"):
                try:
                    kind.end(self._sessions.ec2(leftover.region), leftover.id)
                except ClientError as error:
                    if not is_gone(code_of(error)) or self._is_there(kind, leftover):
                        raise  # what is not found may be another thing than this one
        except ConfigError as refusal:
            raise CloudError(refusal.message, hint=refusal.hint) from refusal

    def _is_there(self, kind: Kind, leftover: Leftover) -> bool:
        return leftover.id in [item[kind.id] for item in self._items(kind, leftover.region)]


def fleets(ec2: Any, job: str) -> list[Any]:
    """DescribeFleets lists instant fleets only by id, so their labels are asked first."""
    key, value = (labels.JOB, job) if job else (labels.MANAGED, labels.MANAGED_VALUE)
    wanted = {"resource-type": "fleet", "key": key, "value": value}
    marks = rows(ec2, "describe_tags", "Tags", Filters=[{"Name": n, "Values": [v]} for n, v in wanted.items()])
    return [fleet for mark in marks for fleet in fleet_of(ec2, mark["ResourceId"])]


def fleet_of(ec2: Any, id: str) -> list[Any]:
    """Labels outlive their fleet for a while: none then."""
    with translated("ec2:DescribeFleets"):
        try:
            return ec2.describe_fleets(FleetIds=[id])["Fleets"]
        except ClientError as error:
            if not is_gone(code_of(error)):
                raise
            return []


def hourly_of(kind: Kind, item: dict[str, Any], region: str) -> Decimal | None:
    """At most: a machine at its on-demand price, unless it is stopped. None is unknown."""
    if kind.name == "volume":
        return item["Size"] * tariff().disk_gib_month / HOURS_PER_MONTH
    if kind.hourly is not None or "InstanceType" not in item:
        return kind.hourly
    return Decimal(0) if state_of(item) == "stopped" else on_demand_price(item["InstanceType"], region)


def comes_back(item: dict[str, Any]) -> bool:
    """A persistent request that has its machine would launch another one in its place: it goes before the machine."""
    return item.get("Type") == "persistent" and state_of(item) == "active"


def still_there(ec2: Any, machines: list[str]) -> list[str]:
    """Those of them that are there."""
    filters = [{"Name": "instance-id", "Values": machines}, {"Name": "instance-state-name", "Values": list(THERE)}]
    found = rows(ec2, "describe_instances", "Reservations", Filters=filters) if machines else []
    return [one["InstanceId"] for reservation in found for one in reservation["Instances"]]


def occupied(ec2: Any, groups: list[str]) -> set[str]:
    """Those placement groups that have a machine in them; the groups themselves do not tell."""
    filters = [{"Name": "placement-group-name", "Values": groups}, {"Name": "instance-state-name", "Values": [*THERE]}]
    found = rows(ec2, "describe_instances", "Reservations", Filters=filters) if groups else []
    return {one["Placement"]["GroupName"] for reservation in found for one in reservation["Instances"]}


def state_of(item: dict[str, Any]) -> str:
    """Each kind says it in a member of its own."""
    if "PublicIp" in item:
        return "in-use" if item.get("AssociationId") else "unused"
    held: Any = item.get("State") or item.get("Status") or item.get("FleetState") or ""
    return held if isinstance(held, str) else held.get("Name", "")


def marks_table() -> str:
    """The table of docs/marks.md."""
    headers = ("kind", "made by", "marked by", "found by", "removed by", "order")
    lines = [headers, tuple("---" for _ in headers)]
    for kind in KINDS:
        found = (
            "`DescribeTags` by label, then `DescribeFleets`" if kind.name == "fleet" else f"`{camel(kind.describe)}`"
        )
        found += "" if kind.name == "fleet" else " by label"
        made = kind.made_by or ("a job" if kind.job else "`setup`")
        lines.append((kind.name, made, "labels in the create call", found, f"`{camel(kind.remove)}`", str(kind.order)))
    lines += [
        (k.name, k.made_by, k.marked, k.found, k.removed, str(k.order)) for k in (IDENTITY, MARKER, LIMIT, BUCKET)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
