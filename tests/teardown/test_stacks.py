"""What stacks own is named with whatever it was chosen by, and is never taken for nothing where nobody can tell."""

from collections.abc import Generator, Mapping

import pytest

from provisioner.cli.removal import Plan, planned, removed
from provisioner.cli.selection import Selection
from provisioner.cli.torn import say
from provisioner.errors import TeardownIncomplete
from provisioner.workplace import Workplace
from tests.estate.serving import serving
from tests.estate.tables import OURS, REGION, Estate, id_of

STACKED = OURS | {"accelctl:stack": "aws-g5", "accelctl:team": "vision"}


@pytest.fixture
def estate() -> Generator[Estate]:
    """A machine of a stack, and nothing else."""
    with serving(Estate(machines=1, labels={id_of(0): STACKED})) as found:
        yield found


def plan_of(marks: Mapping[str, str]) -> Plan:
    return planned(Workplace(), Selection(marks=marks), include_stacks=False, with_data=False)


def test_an_owners_and_a_labels_stacks_are_named_and_nobody_elses(
    estate: Estate, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what carries that owner or label, whose machines go on costing."""
    assert plan_of({"owner": "ann"}).stacks == {}
    plan = plan_of({"owner": "tester", "team": "vision", "accelctl:stack": "aws-g5"})
    assert {name: owned.things for name, owned in plan.stacks.items()} == {"aws-g5": 1}
    say(Workplace(), plan, removed(Workplace(), plan), form="table")
    assert "nothing is left but what stacks own" in capsys.readouterr().err
    assert estate.state_of(id_of(0)) == "running"


def test_where_stacks_cannot_be_asked_for_what_is_known_of_them_stands_and_everything_else_goes(estate: Estate) -> None:
    """The region is named, and nobody says that nothing is left."""
    estate.denied, estate.machines = frozenset({"GetResources"}), 2
    plan = plan_of({})
    assert (list(plan.blind), list(plan.stacks)) == ([REGION], ["aws-g5"])

    with pytest.raises(TeardownIncomplete, match=r"could not be looked at: us-east-1 .*GetResources"):
        say(Workplace(), plan, removed(Workplace(), plan), form="table")
    assert estate.state_of(id_of(1)) == "terminated"
