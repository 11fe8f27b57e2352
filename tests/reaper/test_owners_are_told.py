"""Owners hear of marks: one message for each owner and round, before the marks, and never at a sweep's expense."""

import pytest

from provisioner.errors import ConfigError
from provisioner.reaper.round import Round
from provisioner.reaper.view import round_document
from provisioner.workplace import Workplace
from tests.estate.serving import serving
from tests.estate.tables import OURS, REGION, Estate, id_of

TOPIC = f"arn:aws:sns:{REGION}:123456789012:idle"
ANN = OURS | {"accelctl:owner": "ann"}
ANN_BY_HAND = {"accelctl:managed": "accelctl", "owner": "ann"}
OWNERS = {id_of(1): ANN, id_of(3): ANN_BY_HAND, id_of(5): {"accelctl:managed": "accelctl"}}


def swept(topic: str = TOPIC, *, apply: bool = True) -> Round:
    return Workplace({"owner_topic": topic}).rounds("test").run([REGION], apply=apply)


def outcomes(done: Round) -> set[str]:
    return {str(one.outcome) for one in done.report.machines if one.decision.action == "mark"}


def test_each_owner_gets_one_message_with_every_machine_of_theirs() -> None:
    """What it is, where, why, from when on it may go and what it costs; a subscription may filter by the owner."""
    with serving(Estate(machines=8, labels=OWNERS)) as estate:
        done = swept()

    heard = {one["MessageAttributes.entry.1.Value.StringValue"]: one for one in estate.messages}
    assert (set(heard), len(estate.messages)) == ({"ann", "tester", "unknown"}, 3)
    text = heard["ann"]["Message"]
    assert (id_of(1) in text, id_of(3) in text, id_of(5) in text) == (True, True, False)
    assert all(word in text for word in ("g5.xlarge", REGION, "nothing above its threshold", "UTC", "USD a day"))
    assert heard["ann"]["Subject"] == "accelctl: 2 idle machines of ann"
    assert {one.owner: one.machines for one in done.report.told} == {"ann": 2, "tester": 1, "": 1}


def test_nobody_is_told_twice_nor_by_a_look() -> None:
    """Without --apply nothing is marked; what is marked already was told of."""
    with serving(Estate(machines=4)) as estate:
        swept(apply=False)
        assert estate.messages == []
        swept()
        swept()

    assert len(estate.messages) == 1


def test_a_topic_that_refuses_never_fails_a_sweep() -> None:
    """Everything is marked all the same; the report says who was not told."""
    with serving(Estate(machines=4, denied=frozenset({"Publish"}))):
        done = swept()

    assert (outcomes(done), done.failed) == ({"done"}, [])
    (told,) = round_document(done)["told"]
    assert (told["owner"], told["sent"], "Publish" in told["reason"]) == ("tester", False, True)


def test_a_topic_that_is_none_is_a_mistake_before_anything_is_looked_at() -> None:
    """Named as the setting that it is."""
    with serving(Estate(machines=1)) as estate, pytest.raises(ConfigError, match="owner_topic"):
        swept("idle")
    assert estate.asked["DescribeInstances"] == 0
