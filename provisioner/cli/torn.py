"""What a teardown says at its end: the document, and what is left."""

from collections.abc import Sequence

from provisioner.cli import output
from provisioner.cli import stays as staying
from provisioner.cli.output import OutputFormat
from provisioner.cli.regions import unseen_document
from provisioner.cli.removal import Plan, Removed
from provisioner.cli.stays import Stays
from provisioner.clouds.regions import named
from provisioner.domain.leftovers import Leftover
from provisioner.errors import TeardownIncomplete
from provisioner.teardown.execute import Item, Listing
from provisioner.workplace import Workplace

AGAIN = "run it again; it continues."


def say(place: Workplace, plan: Plan, was: Removed, *, form: str) -> None:
    """The last word. Raises TeardownIncomplete."""
    left, stays = was.left, was.stays
    if form == OutputFormat.JSON:
        output.document(whole(was.done, left, stays))
    if not left.nothing or stays.unseen or stays.failed:
        raise incomplete(left, stays)
    output.note("nothing is left" + stays.words)
    if plan.selection.everything and not was.data and (store := place.cloud.job_store()):
        more = "" if stays.stacks else "; --with-data removes it"
        output.note(f"kept: {store.url} with records and checkpoints{more}")


def whole(done: Sequence[Item], left: Listing, stays: Stays) -> dict[str, object]:
    """The document of a run."""
    return {
        "items": [document(item) for item in done], "left": [name(item) for item in left.items],
        "unseen": unseen_document({**left.unseen, **stays.unseen}),
        "stacks": [staying.stack_document(*one) for one in stays.stacks.items()],
        "prepaid": [staying.document(one) for one in stays.prepaid],
    }  # fmt: skip


def incomplete(left: Listing, stays: Stays) -> TeardownIncomplete:
    """What is left, and what nobody could look at."""
    names = [f"{name(item)} in {item.region}" for item in left.items]
    blind = [f"{named(region)} ({why.message.rstrip('.')})" for region, why in {**left.unseen, **stays.unseen}.items()]
    told = [f"left: {', '.join(names)}"] if names else []
    told += [f"could not be looked at: {', '.join(blind)}"] if blind else []
    told += [why.message.rstrip(".") for why in stays.failed]
    again = next((why.hint for why in stays.failed), AGAIN)
    hint = "run it again once that answers; until then nobody knows what is there." if blind else again
    return TeardownIncomplete(f"{'; '.join(told)}.", left=names, hint=hint)


def document(item: Item) -> dict[str, object]:
    return {"kind": item.leftover.kind, "id": item.leftover.id, "region": item.leftover.region,
            "result": item.result, "reason": item.reason}  # fmt: skip


def name(leftover: Leftover) -> str:
    return f"{leftover.kind} {leftover.id}"
