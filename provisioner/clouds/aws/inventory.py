"""Finds what is ours on AWS, and removes it: the table of kinds, and what lives outside EC2's labels."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from provisioner.catalog import labels
from provisioner.catalog.foundation import BOUNDARY, JOBS, MARKERS, NETWORK
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import code_of, is_gone, translated
from provisioner.clouds.aws.identity import Identities
from provisioner.clouds.aws.inhabited import AT_ONCE
from provisioner.clouds.aws.kinds import BY_NAME, KINDS, Kind
from provisioner.clouds.aws.listings import state_of
from provisioner.clouds.aws.sessions import Sessions, camel
from provisioner.clouds.aws.store import BucketStore
from provisioner.clouds.base import NOWHERE
from provisioner.clouds.regions import each_region
from provisioner.domain.leftovers import Leftover
from provisioner.errors import CloudError, ConfigError

COUNTED = {"ec2", "s3", "iam"}
"""Services whose things are found without the tagging API."""


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
                price_per_hour=kind.price(item, region), state=state_of(item),
            )  # fmt: skip

    def _stacks_network(self, region: str) -> bool:
        held = [tags.read(one.get("Tags")) for one in self._all(BY_NAME["vpc"], region)]
        return any(marks.get(labels.KIND) == NETWORK and labels.STACK in marks for marks in held)

    def _unlabelled(self, kind: Unlabelled, id: str, region: str = "") -> Leftover:
        return Leftover(kind=kind.name, id=id, region=region, labels=labels.ours(), order=kind.order)

    def _items(self, kind: Kind, region: str, job: str = "") -> list[Any]:
        """Ours of that kind, the job's only where one is named; what a stack owns is the stack's."""
        return [one for one in self._all(kind, region, job) if labels.STACK not in tags.read(one.get("Tags"))]

    def stacks(self, regions: Sequence[str], *, others: Sequence[str] = ()) -> Iterator[Leftover]:
        """What stacks own there, and in no region; in the others, what is outside EC2."""
        looks: dict[str, tuple[Callable[[str], list[Leftover]], ...]] = {
            NOWHERE: (self._stacked_nowhere,),
            **dict.fromkeys(regions, (self._stacked_in_ec2, self._stacked_elsewhere)),
            **dict.fromkeys(others, (self._stacked_elsewhere,)),
        }
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = {region: [pool.submit(look, region) for look in looks[region]] for region in looks}
        return each_region(lambda region: chain.from_iterable(part.result() for part in asked[region]), asked)

    def _stacked_nowhere(self, _: str) -> list[Leftover]:
        limit, owner = self._identities.boundary() or {}, self._store.stack
        bucket = [stacked(BUCKET.name, self._store.bucket, labels.ours(stack=owner))] if owner else []
        return [*bucket, *([stacked(LIMIT.name, BOUNDARY, limit)] if labels.STACK in limit else [])]

    def _stacked_in_ec2(self, region: str) -> list[Leftover]:
        held = [(kind, item, tags.read(item.get("Tags"))) for kind in KINDS for item in self._all(kind, region)]
        return [
            stacked(kind.name, item[kind.id], marks, region, kind.price(item, region))
            for kind, item, marks in held
            if labels.STACK in marks
        ]

    def _stacked_elsewhere(self, region: str) -> list[Leftover]:
        """Beside EC2, such as the reaper's function: by use, it costs next to nothing."""
        pages = self._sessions.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        with translated("tag:GetResources"):
            found = [one for page in pages.paginate(TagFilters=[{"Key": labels.STACK}])
                     for one in page["ResourceTagMappingList"]]  # fmt: skip
        named = [(one["ResourceARN"], tags.read(one["Tags"])) for one in found]
        return [stacked(service_of(arn), arn, marks, region) for arn, marks in named if service_of(arn) not in COUNTED]

    def _all(self, kind: Kind, region: str, job: str = "") -> list[Any]:
        return kind.all(self._sessions.ec2(region), job)

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


def stacked(
    kind: str, id: str, marks: Mapping[str, str], region: str = "", price: Decimal | None = Decimal(0)
) -> Leftover:
    """Something that Pulumi removes: it has no place in our order."""
    return Leftover(kind=kind, id=id, region=region, labels=marks, order=0, price_per_hour=price)


def service_of(arn: str) -> str:
    return arn.split(":")[2]


def marks_table() -> str:
    """The table of docs/marks.md."""
    headers = ("kind", "made by", "marked by", "found by", "removed by", "order")
    lines = [headers, tuple("---" for _ in headers)]
    for kind in KINDS:
        found = kind.found or f"`{camel(kind.describe)}` by label"
        made = kind.made_by or ("a job" if kind.job else "`setup`")
        lines.append((kind.name, made, "labels in the create call", found, f"`{camel(kind.remove)}`", str(kind.order)))
    lines += [
        (k.name, k.made_by, k.marked, k.found, k.removed, str(k.order)) for k in (IDENTITY, MARKER, LIMIT, BUCKET)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
