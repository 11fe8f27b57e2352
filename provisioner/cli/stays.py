"""What a teardown leaves on purpose: what Pulumi stacks own, and capacity that is paid for whatever is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from provisioner.catalog import labels
from provisioner.cli import output
from provisioner.domain.estate import Owned
from provisioner.domain.leftovers import Leftover, Prepaid
from provisioner.errors import AccelctlError, TeardownIncomplete


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """`stacks` with what each owns; `unseen` says why of regions whose stacks or prepaid capacity are not known."""

    stacks: Mapping[str, Owned]
    prepaid: Sequence[Prepaid] = ()
    failed: Sequence[TeardownIncomplete] = ()
    """Why of the stacks that were to be destroyed and are still there."""
    unseen: Mapping[str, AccelctlError] = field(default_factory=dict[str, AccelctlError])

    @property
    def words(self) -> str:
        """As the end of 'nothing is left'."""
        what = [*(["what stacks own"] if self.stacks else []), *(["prepaid capacity"] if self.prepaid else [])]
        return f" but {' and '.join(what)}" if what else ""


def by_stack(things: Iterable[Leftover]) -> dict[str, Owned]:
    """A stack keeps the bucket when it goes: alone it is no work for Pulumi."""
    found: dict[str, Owned] = {}
    at_work: set[str] = set()
    for one in things:
        stack = one.labels[labels.STACK]
        found[stack] = found.get(stack, Owned()).and_one(one.price_per_hour)
        at_work |= {stack} if one.kind != "bucket" else set()
    return {stack: owned for stack, owned in found.items() if stack in at_work}


def say_stacks(stacks: Mapping[str, Owned], *, include: bool) -> None:
    for stack, owned in stacks.items():
        what = "are destroyed with it" if include else f"are left to it: 'pulumi destroy --stack {stack}'"
        price = owned.price_per_hour
        cost = "at a price that is not known" if price is None else f"at most {output.money(price)} an hour"
        output.note(f"{owned.things} things ({cost}) belong to the Pulumi stack '{stack}' and {what}")


def staying(prepaid: Sequence[Prepaid], *, include_stacks: bool) -> list[Prepaid]:
    """Without the reservations that `pulumi destroy` of their stacks cancels; a block is protected from it."""
    return [one for one in prepaid if one.paid or not include_stacks or labels.STACK not in one.labels]


def say_prepaid(prepaid: Sequence[Prepaid]) -> None:
    for one in prepaid:
        until = f"until {one.ends_at:%Y-%m-%d %H:%M} UTC" if one.ends_at else "until it is cancelled"
        cost = (
            "paid in advance, nothing more by the hour" if one.paid else f"{output.money(one.price_per_hour)} an hour"
        )
        output.note(
            f"{one.kind} {one.id} in {one.region} ({one.machines} {one.instance_type}) stays {until}: {cost}, "
            f"used or not{owned_by(one)}"
        )


def owned_by(one: Prepaid) -> str:
    stack = one.labels.get(labels.STACK)
    return f"; it belongs to the Pulumi stack '{stack}'" if stack else ""


def stack_document(stack: str, owned: Owned) -> dict[str, object]:
    return {"stack": stack, "things": owned.things, "price_per_hour": owned.price_per_hour}


def document(one: Prepaid) -> dict[str, object]:
    return {"kind": one.kind, "id": one.id, "region": one.region, "state": one.state,
            "instance_type": one.instance_type, "machines": one.machines, "paid": one.paid,
            "price_per_hour": one.price_per_hour, "ends_at": one.ends_at, "stack": one.labels.get(labels.STACK, ""),
           }  # fmt: skip
