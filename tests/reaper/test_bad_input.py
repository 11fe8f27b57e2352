"""What cannot be understood or reached keeps its machine, and is said."""

import pytest

from provisioner.domain.leftovers import Leftover
from provisioner.reaper.round import Round, why_unused
from provisioner.reaper.sweep import Swept
from tests.e2e.jobs import accelctl
from tests.estate.serving import serving
from tests.estate.tables import BUCKET, OURS, Estate, id_of
from tests.reaper.test_estates import swept

JOB = "20260101-000000-aaaaa"
LONG_DUE = {"accelctl:reap": "2026-01-01T00:00:00Z before idle"}
IDLE = id_of(1)


def only(done: Round) -> Swept:
    return next(one for one in done.report.machines if one.machine.instance.id == IDLE)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"accelctl:expires-at": "tomorrow"}, "accelctl:expires-at is 'tomorrow', which is no time"),
        ({"accelctl:keep-until": "for ever"}, "accelctl:keep-until is 'for ever', which is no time"),
        ({"accelctl:expires-at": "9999-12-31T23:59:59-05:00"}, "which is no time"),
        ({"accelctl:managed": "accelctl/2"}, "of another version"),
    ],
)
def test_a_label_that_cannot_be_understood_keeps_a_machine_that_is_long_due(labels: dict[str, str], said: str) -> None:
    """And the reason names it."""
    with serving(Estate(machines=4, labels={IDLE: OURS | LONG_DUE | labels})) as estate:
        found = only(swept(apply=True))

    assert (found.decision.verdict, found.decision.action, estate.state_of(IDLE)) == ("unknown", "keep", "running")
    assert said in found.decision.reason


def test_an_end_that_never_comes_keeps_no_idle_machine_and_stops_no_round() -> None:
    """People write so for "never": what is due goes, this one and the others."""
    end = "9999-12-31T23:59:59Z"
    labels = {IDLE: OURS | LONG_DUE | {"accelctl:expires-at": end}, id_of(3): OURS | LONG_DUE}
    with serving(Estate(machines=40, labels=labels)) as estate:
        swept(apply=True)

    assert (estate.state_of(IDLE), estate.state_of(id_of(3))) == ("stopped", "stopped")


@pytest.mark.parametrize("at", ["2099-01-01T00:00:00Z", "yesterday", "2026-01-21", "2025-01-01T00:00:00Z"])
def test_a_mark_that_nobody_was_told_of_is_made_anew(at: str) -> None:
    """A clock that was wrong, a hand that slipped, and a life before this start take nobody's grace away."""
    with serving(Estate(machines=4, labels={IDLE: OURS | {"accelctl:reap": f"{at} before idle"}})) as estate:
        found = only(swept(apply=True))

    assert (found.decision.action, estate.state_of(IDLE)) == ("mark", "running")


def test_a_damaged_record_keeps_its_machine_and_is_named() -> None:
    """Nobody can tell whether the job lives."""
    labelled = {IDLE: OURS | LONG_DUE | {"accelctl:job": JOB}}
    with serving(
        Estate(machines=4, labels=labelled, objects={f"open/{JOB}": b"", f"jobs/{JOB}/record.json": b"{"})
    ) as estate:
        done = swept(apply=True)

    assert (only(done).decision.verdict, estate.state_of(IDLE)) == ("unknown", "running")
    assert "record of its job could not be read" in only(done).decision.reason
    assert any(JOB in line and "damaged" in line for line in done.failed)


@pytest.mark.parametrize(
    ("store", "verdict", "state"),
    [(f"s3://{BUCKET}", "orphan", "terminated"), ("s3://theirs", "unknown", "running"), ("", "orphan", "terminated")],
)
def test_a_machine_of_another_store_is_nobodys_orphan(store: str, verdict: str, state: str) -> None:
    """No record here says nothing of a job whose record is there; idle and of a store of ours, or of none, it goes."""
    home = {"accelctl:store": store} if store else {}
    with serving(Estate(machines=4, labels={IDLE: OURS | LONG_DUE | {"accelctl:job": JOB} | home})) as estate:
        found = only(swept(apply=True))

    assert (found.decision.verdict, estate.state_of(IDLE)) == (verdict, state)
    assert state == "terminated" or store in found.decision.reason


@pytest.mark.parametrize(("home", "why"), [("s3://theirs", ""), ("s3://ours", f"job {JOB} is over"), ("", "is over")])
def test_what_a_job_of_another_store_has_is_not_called_unused(home: str, why: str) -> None:
    """Only its own store can tell whether it is over."""
    marks = OURS | {"accelctl:job": JOB} | ({"accelctl:store": home} if home else {})
    disk = Leftover(kind="volume", id="vol-1", region="us-east-1", labels=marks, order=41)

    said = why_unused(disk, set(), "s3://ours")
    assert (why in said, bool(said)) == (True, bool(why))


def test_without_a_job_store_machines_are_judged_all_the_same() -> None:
    """A job's machine is its own store's; what is idle and nobody's job goes. Nothing is written anywhere."""
    labels = {
        IDLE: OURS | LONG_DUE | {"accelctl:job": JOB, "accelctl:store": f"s3://{BUCKET}"},
        id_of(3): OURS | LONG_DUE,
    }
    with serving(Estate(machines=4, labels=labels, storeless=True)) as estate:
        done = swept(apply=True)
        words = accelctl("reap").stderr

    assert (only(done).decision.verdict, estate.state_of(IDLE)) == ("unknown", "running")
    assert estate.state_of(id_of(3)) == "stopped"
    assert done.failed == []
    assert estate.asked["PUT object"] == 0
    assert "there is no job store" in words


def test_a_call_that_is_not_allowed_keeps_those_whom_it_is_about() -> None:
    """The look is refused: nothing is ended, and the missing permission is named."""
    with serving(Estate(machines=4, labels={IDLE: OURS | LONG_DUE}, denied=frozenset({"GetMetricData"}))) as estate:
        done = swept(apply=True)

    assert (only(done).decision.verdict, estate.state_of(IDLE)) == ("unknown", "running")
    assert any("cloudwatch:GetMetricData" in line for line in done.failed)


def test_an_act_that_is_not_allowed_is_said_and_the_others_go_on() -> None:
    """Marks are refused; what was due still goes."""
    with serving(Estate(machines=40, labels={IDLE: OURS | LONG_DUE}, denied=frozenset({"CreateTags"}))) as estate:
        done = swept(apply=True)

    assert estate.state_of(IDLE) == "stopped"
    assert {str(one.outcome) for one in done.report.machines if one.decision.action == "mark"} == {"refused"}
