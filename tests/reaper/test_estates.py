"""A large estate is looked at in pages and batches: nothing is asked twice, nor of a machine that is settled."""

from provisioner.cli.commands.reap import rounds
from provisioner.reaper.round import Round
from provisioner.workplace import Workplace
from tests.estate.serving import serving
from tests.estate.tables import REGION, Estate, id_of

BUSY, IDLE = id_of(0), id_of(1)


def swept(*, apply: bool = False) -> Round:
    return rounds(Workplace()).run([REGION], apply=apply)


def test_half_of_1200_machines_are_idle_and_26_requests_tell_which() -> None:
    """Two pages of machines and three of dimensions, then 500 series a call."""
    with serving(Estate(machines=1200)) as estate:
        done = swept()

    verdicts = [str(one.decision.verdict) for one in done.report.machines]
    assert (verdicts.count("idle"), verdicts.count("busy")) == (600, 600)
    assert (estate.asked["DescribeInstances"], estate.asked["ListMetrics"]) == (2, 3)
    assert estate.asked["GetMetricData"] == 3 + 2 + 5


def test_nothing_is_asked_twice_nor_of_a_machine_that_is_settled() -> None:
    """A busy GPU needs no look at its host; an idle one needs all of it."""
    with serving(Estate(machines=10)) as estate:
        swept()

    assert set(estate.read.values()) == {1}
    assert {metric for one, metric in estate.read if one == BUSY} == {"nvidia_smi_utilization_gpu"}
    assert len({metric for one, metric in estate.read if one == IDLE}) == 6
