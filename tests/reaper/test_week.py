"""Rounds are kept for a week: what was done, what it saved, and who has been unknown for how long."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from provisioner.errors import CloudError
from provisioner.jobs.objects import Objects, open_objects
from provisioner.reaper.activity import Verdict
from provisioner.reaper.decide import Action, Decision
from provisioner.reaper.history import KEY, Histories, History, with_begun, with_round
from provisioner.reaper.observe import Blind
from provisioner.reaper.sweep import Outcome, Report, Swept
from provisioner.reaper.week import week_document
from tests.e2e.jobs import accelctl
from tests.estate.serving import serving
from tests.estate.tables import OURS, REGION, Estate, id_of
from tests.reaper.test_estates import swept
from tests.reaper.test_verdicts import DOCUMENT, observed

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HERE = ["us-east-1"]


def machine(number: int, action: Action, verdict: Verdict = Verdict.IDLE, price: str | None = "24") -> Swept:
    found = observed(DOCUMENT["usual"])
    saves = Decimal(price) if price is not None else None
    return Swept(
        machine=replace(found, instance=replace(found.instance, id=id_of(number))), outcome=Outcome.DONE,
        decision=Decision(verdict=verdict, action=action, reason="nothing above its threshold", saves_per_day=saves),
    )  # fmt: skip


def unknown(number: int) -> Swept:
    return replace(machine(number, Action.KEEP, Verdict.UNKNOWN), outcome=Outcome.PLANNED)


def after(history: History, at: datetime, *machines: Swept, failed: bool = False, blind: str = "") -> History:
    lost = (Blind(region=blind, reason="off"),) if blind else ()
    return with_round(history, Report(at=at, machines=machines, blind=lost), HERE, failed=failed, token="round")


def test_a_week_tells_what_was_marked_ended_and_spared_and_what_that_saved() -> None:
    """What ended a day and a half ago at 24 USD a day has saved 36; an unknown price is counted, never 0."""
    held = after(History(), NOON, machine(1, Action.TERMINATE), machine(2, Action.STOP, price=None))
    held = after(held, NOON + 30 * HOUR, machine(3, Action.MARK), machine(4, Action.UNMARK, Verdict.BUSY), failed=True)
    week = week_document(held, NOON + 36 * HOUR)

    assert [one["id"] for one in week["ended"]] == [id_of(1), id_of(2)]
    assert [[one["id"] for one in week[what]] for what in ("marked", "spared")] == [[id_of(3)], [id_of(4)]]
    assert (week["saved"], week["unpriced"]) == (Decimal("36.00"), 1)
    assert (week["rounds"], week["rounds_failed"], week["seen"]) == (2, 1, 2)


def test_what_is_older_than_a_week_is_forgotten() -> None:
    """Seven days, today included: the object does not grow for ever."""
    held = after(History(), NOON, machine(1, Action.STOP))
    held = after(held, NOON + timedelta(days=6), machine(2, Action.STOP))
    assert len(week_document(held, NOON + timedelta(days=6))["ended"]) == 2
    held = after(held, NOON + timedelta(days=7))

    assert len(held.days) == 2
    assert [one["id"] for one in week_document(held, NOON + timedelta(days=7))["ended"]] == [id_of(2)]


def test_the_oldest_unknown_is_counted_from_the_first_round_that_could_not_judge_it() -> None:
    """Whoever is judged again is out; a region that could not be read keeps its own."""
    held = after(History(), NOON, unknown(1), unknown(2))
    held = after(held, NOON + HOUR, unknown(2), unknown(3))
    assert held.oldest == (f"us-east-1/{id_of(2)}", NOON)
    held = after(held, NOON + 2 * HOUR, blind="us-east-1")
    assert held.age_of_oldest(NOON + 2 * HOUR) == 2 * HOUR

    assert after(held, NOON + 3 * HOUR).oldest is None
    assert History().age_of_oldest(NOON) == timedelta(0)


def test_a_round_that_began_and_never_ended_is_counted() -> None:
    """Twenty minutes after its beginning; one that runs is not, nor one that is over, nor one that was tried again."""
    held = with_begun(with_begun(History(), "killed", NOON), "lives", NOON + HOUR)
    held = with_begun(with_begun(held, "tried again", NOON), "tried again", NOON + HOUR)
    done = with_round(held, Report(at=NOON + HOUR, machines=(), blind=()), HERE, failed=False, token="tried again")

    assert week_document(done, NOON + HOUR)["rounds_unfinished"] == 1
    assert week_document(done, NOON + 2 * HOUR)["rounds_unfinished"] == 2
    assert set(with_begun(done, "next", NOON + timedelta(days=8)).begun) == {"next"}


@pytest.fixture
def objects() -> Objects:
    return open_objects("memory://")


def test_two_rounds_that_write_at_the_same_time_are_both_there(objects: Objects) -> None:
    """The second to write reads again."""
    histories = Histories(objects)
    late: list[History] = []

    def first(held: History) -> History:
        if not late:
            late.append(Histories(objects).change(lambda one: after(one, NOON, machine(1, Action.MARK))))
        return after(held, NOON, machine(2, Action.MARK))

    histories.change(first)

    (day,) = histories.read().days.values()
    assert (day.rounds, len(day.marked)) == (2, 2)


def test_a_damaged_history_is_said_and_never_written_over(objects: Objects) -> None:
    """Nor one of a newer version."""
    for content, said in ((b"{", "damaged"), (b'{"version": 9}', "newer")):
        objects.put(KEY, content)
        with pytest.raises(CloudError, match=said):
            Histories(objects).change(lambda held: held)
        assert objects.get(KEY) == content


def test_reap_keeps_what_it_did_and_its_summary_tells_it() -> None:
    """A look is not kept; a damaged history is a failure of the run, and everything else is done."""
    due = {id_of(1): OURS | {"accelctl:reap": "2026-01-01T00:00:00Z before idle"}}
    with serving(Estate(machines=4, labels=due)) as estate:
        swept()
        assert KEY not in estate.objects
        assert accelctl("reap", "--apply", "--yes").returncode == 0
        told = accelctl("reap", "--summary", "--output", "json")
        text = accelctl("reap", "--summary").stdout
        estate.objects[KEY] = b"{"
        broken = accelctl("reap", "--apply", "--yes")
        unread = accelctl("reap", "--summary")

    week = json.loads(told.stdout)
    assert ([one["id"] for one in week["ended"]], [one["id"] for one in week["marked"]]) == ([id_of(1)], [id_of(3)])
    assert (week["rounds"], week["seen"], week["ended"][0]["region"]) == (1, 4, REGION)
    assert week["rounds_unfinished"] == 0
    assert ("1 round(s) since" in text, id_of(1) in text, "saved so far" in text) == (True, True, True)
    assert (broken.returncode, unread.returncode, "delete it" in unread.stderr) == (4, 4, True)


def test_the_summary_goes_with_nothing_that_looks() -> None:
    """Exit 2, before anything."""
    assert accelctl("reap", "--summary", "--apply").returncode == 2
