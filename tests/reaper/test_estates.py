"""A large estate is looked at in pages and batches: nothing is asked twice, nor of a machine that is settled."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from provisioner.reaper.round import Round
from provisioner.workplace import Workplace
from tests.estate.serving import serving
from tests.estate.tables import OURS, REGION, Estate, id_of

BUSY, IDLE = id_of(0), id_of(1)


def swept(*, apply: bool = False) -> Round:
    return Workplace().rounds("test").run([REGION], apply=apply)


def test_half_of_1200_machines_are_idle_and_15_requests_tell_which() -> None:
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


def test_a_look_that_fails_is_the_failure_of_its_machines_alone() -> None:
    """500 of 600 cannot be read: they are kept and named, the others are judged."""
    with serving(Estate(machines=600, unwatched=frozenset({9}))):
        done = swept()

    verdicts = [str(one.decision.verdict) for one in done.report.machines]
    assert (verdicts.count("unknown"), verdicts.count("idle")) == (500, 50)
    assert any("500 machines could not be judged" in line for line in done.failed)


@pytest.mark.parametrize("silence", ["mute", "stopped"])
def test_a_machine_of_which_one_gpu_tells_nothing_is_kept_however_long_it_was_marked(silence: str) -> None:
    """It may work, or be cut up by MIG: three quiet ones of four are no evidence. The others go."""
    special = Estate(machines=20, instance_type="g5.12xlarge", gpus=4, labels=marked(range(1, 4)))
    with serving(replace(special, **{silence: frozenset({1})})) as estate:
        done = swept(apply=True)

    told = {one.machine.instance.id: one.decision for one in done.report.machines}
    assert (told[id_of(1)].verdict, told[id_of(1)].action, estate.state_of(id_of(1))) == ("unknown", "keep", "running")
    assert "accelerator" in told[id_of(1)].reason
    assert (told[id_of(3)].action, estate.state_of(id_of(3))) == ("stop", "stopped")


def marked(numbers: range, at: str = "2026-01-01T00:00:00Z") -> dict[str, dict[str, str]]:
    """Labels of machines whose grace is long over."""
    return {id_of(number): OURS | {"accelctl:reap": f"{at} before idle"} for number in numbers}


def test_memory_is_asked_only_of_what_would_go_now_and_spares_what_is_held() -> None:
    """Marked two hours ago and quiet since: one goes, one whose model waits in memory has four hours."""
    at = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
    with serving(Estate(machines=6, holding=frozenset({1}), labels=marked(range(1, 4), at))) as estate:
        done = swept(apply=True)

    told = {one.machine.instance.id: one for one in done.report.machines}
    assert (told[id_of(1)].decision.action, told[id_of(3)].decision.action) == ("keep", "stop")
    assert "holds accelerator memory" in told[id_of(1)].decision.reason
    (memory,) = [one for one in told[id_of(1)].decision.evidence["series"] if one["metric"] == "accelerator-memory"]
    assert (memory["highest"], memory["device"]) == (75.0, "0")
    assert {one for one, metric in estate.read if metric == "nvidia_smi_memory_used"} == {id_of(1), id_of(3)}


def outcomes(done: Round) -> Counter[tuple[str, str]]:
    return Counter((str(one.decision.action), str(one.outcome)) for one in done.report.machines)


def test_a_bad_machine_in_every_batch_and_the_rest_is_handled_within_the_caps() -> None:
    """Of 100 that are due one is one-time spot, one protected, one gone; a tenth of 200 may go at once."""
    special = Estate(machines=200, one_time=frozenset({1}), protected=frozenset({1}), vanished=frozenset({3}),
                     labels=marked(range(200)))  # fmt: skip
    with serving(special) as estate:
        done = swept(apply=True)

    assert outcomes(done) == {
        ("stop", "done"): 20, ("stop", "gone"): 1, ("terminate", "held"): 1, ("stop", "later"): 78,
        ("unmark", "done"): 100,
    }  # fmt: skip
    assert sum(estate.state_of(one) == "stopped" for one in estate.ids()) == 20
    assert done.failed == []
    assert "disableApiTermination" in next(one.why for one in done.report.machines if one.outcome == "held")
    assert len(done.report.not_reached) == 78


def test_a_permission_that_is_missing_for_all_is_not_asked_of_each() -> None:
    """Of 200 that are due a batch is tried, with one second look; the others wait."""
    with serving(Estate(machines=400, labels=marked(range(400)), denied=frozenset({"StopInstances"}))) as estate:
        done = swept(apply=True)

    assert (outcomes(done)["stop", "refused"], outcomes(done)["stop", "later"]) == (40, 160)
    assert estate.asked["DescribeInstances"] <= 3
    assert estate.asked["StopInstances"] <= 30
    assert all("StopInstances" in one.why for one in done.report.not_reached)


def test_a_persistent_request_goes_before_its_machine() -> None:
    """Else the machine would come back."""
    with serving(Estate(machines=20, persistent=frozenset({1}), labels=marked(range(1, 2)))) as estate:
        done = swept(apply=True)

    assert outcomes(done)["terminate", "done"] == 1
    assert (estate.cancelled, estate.state_of(id_of(1))) == (["sir-00000001 after 0 ends"], "terminated")


def test_a_member_of_a_group_goes_with_its_place_in_the_group_and_its_minimum_is_kept() -> None:
    """One is not replaced, one the group needs, one is gone; what a node pool has is its owner's. Nothing failed."""
    owners = {1: "aws:autoscaling:groupName", 3: "aws:autoscaling:groupName", 5: "aws:autoscaling:groupName",
              7: "eks:nodegroup-name"}  # fmt: skip
    labels = {one: held | {owners[n]: "g5"} for n in owners for one, held in marked(range(n, n + 1)).items()}
    special = Estate(machines=100, labels=labels, needed=frozenset({3}), vanished=frozenset({5}))
    with serving(special) as estate:
        done = swept(apply=True)

    told = {one.machine.instance.id: one for one in done.report.machines}
    assert [told[id_of(n)].decision.action for n in owners] == ["scale-owner"] * 4
    assert [told[id_of(n)].outcome for n in owners] == ["done", "held", "gone", "held"]
    assert "minimum size" in told[id_of(3)].why
    assert [act for act in estate.acts if act[0] in ("scale-in", "end")] == [("scale-in", id_of(1))]
    assert done.failed == []


def test_a_machine_that_was_taken_out_of_its_group_is_never_called_gone() -> None:
    """It runs and costs on: the round says so, and fails."""
    labels = {one: held | {"aws:autoscaling:groupName": "g5"} for one, held in marked(range(1, 2)).items()}
    with serving(Estate(machines=10, labels=labels, detached=frozenset({1}))) as estate:
        done = swept(apply=True)

    assert outcomes(done)["scale-owner", "refused"] == 1
    assert any("the group does not have it" in line for line in done.failed)
    assert estate.state_of(id_of(1)) == "running"


def test_a_machine_that_its_group_keeps_takes_nobodys_turn() -> None:
    """One of ten may go at once; the dearest cannot, and the next one does."""
    kept = {id_of(1): marked(range(1, 2))[id_of(1)] | {"aws:autoscaling:groupName": "g5"}}
    labels = marked(range(3, 10, 2)) | kept
    with serving(Estate(machines=10, labels=labels, needed=frozenset({1}))) as estate:
        done = swept(apply=True)

    assert outcomes(done)["scale-owner", "held"] == 1
    assert (outcomes(done)["stop", "done"], outcomes(done)["stop", "later"]) == (1, 3)
    assert [act for act in estate.acts if act[0] == "stop"] == [("stop", id_of(3))]


def test_marking_hundreds_takes_a_call_for_each_two_hundred() -> None:
    """One of them has vanished: it is gone, and the others are marked."""
    with serving(Estate(machines=800, vanished=frozenset({7}))) as estate:
        done = swept(apply=True)

    assert outcomes(done) == {("mark", "done"): 399, ("mark", "gone"): 1, ("keep", "planned"): 400}
    assert estate.asked["CreateTags"] <= 2 + 2 * 8


def test_an_account_that_asks_to_slow_down_is_still_seen_whole() -> None:
    """Few calls a second are answered; every machine is decided, or named as one that could not be."""
    with serving(Estate(machines=100, rate=8)) as estate:
        done = swept()

    unknown = [one for one in done.report.machines if one.decision.verdict == "unknown"]
    assert len(done.report.machines) == 100
    assert not unknown or any("could not be judged" in line for line in done.failed)
    assert estate.asked["slowed down"] > 0
