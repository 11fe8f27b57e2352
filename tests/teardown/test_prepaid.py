"""What is paid for whatever is removed."""

from decimal import Decimal

from provisioner.catalog import labels
from provisioner.cli.stays import Stays, staying
from provisioner.domain.estate import Owned
from provisioner.domain.leftovers import Prepaid


def held(id: str, *, paid: bool, stack: str = "") -> Prepaid:
    return Prepaid(
        kind="capacity-block" if paid else "capacity-reservation", id=id, region="us-east-1", state="active",
        labels=labels.ours() | ({labels.STACK: stack} if stack else {}), instance_type="p5.48xlarge", machines=1,
        paid=paid, price_per_hour=None if paid else Decimal(55), ends_at=None,
    )  # fmt: skip


def test_a_stacks_reservation_goes_with_its_stack_and_a_block_stays() -> None:
    """Only where the stacks are destroyed in the same run."""
    paid = [held("block", paid=True, stack="s"), held("reserved", paid=False, stack="s"), held("own", paid=False)]

    assert [one.id for one in staying(paid, include_stacks=True)] == ["block", "own"]
    assert len(staying(paid, include_stacks=False)) == 3


def test_the_last_word_says_what_stays() -> None:
    """Nothing, what stacks own, what is paid for, or both."""
    paid = [held("block", paid=True)]

    assert Stays(stacks={}).words == ""
    assert Stays(stacks={}, prepaid=paid).words == " but prepaid capacity"
    assert Stays(stacks={"s": Owned(things=1)}, prepaid=paid).words == " but what stacks own and prepaid capacity"
