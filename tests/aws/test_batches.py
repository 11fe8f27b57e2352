"""One machine that a call refuses never stops the others of its batch."""

from provisioner.clock import SystemClock
from provisioner.clouds.aws import Aws
from provisioner.errors import InstanceNotFound, PermissionDenied
from tests.estate.serving import serving
from tests.estate.tables import REGION, Estate, id_of


def cloud() -> Aws:
    return Aws(clock=SystemClock(), region=REGION)


def test_one_one_time_spot_machine_among_a_hundred_is_not_stopped_and_the_others_are() -> None:
    """It costs a few halvings, not a call for each machine."""
    with serving(Estate(machines=100, one_time=frozenset({37}))) as estate:
        refused = cloud().stop(REGION, estate.ids())

    assert list(refused) == [id_of(37)]
    assert "one-time" in refused[id_of(37)].message
    assert [one for one in estate.ids() if estate.state_of(one) != "stopped"] == [id_of(37)]
    assert estate.asked["StopInstances"] <= 15


def test_one_protected_machine_among_250_stays_and_the_others_go() -> None:
    """Whichever batch it is in."""
    with serving(Estate(machines=250, protected=frozenset({180}))) as estate:
        refused = cloud().end(REGION, estate.ids())

    assert {one: type(why) for one, why in refused.items()} == {id_of(180): PermissionDenied}
    assert [one for one in estate.ids() if estate.state_of(one) != "terminated"] == [id_of(180)]


def test_a_vanished_machine_in_every_batch_is_gone_and_the_others_are_labelled() -> None:
    """A machine that ended between look and act."""
    lost = frozenset({5, 210, 499})
    with serving(Estate(machines=500, vanished=lost)) as estate:
        refused = cloud().relabel(REGION, estate.ids(), "accelctl:reap", "now")

    assert {one: type(why) for one, why in refused.items()} == dict.fromkeys(map(id_of, sorted(lost)), InstanceNotFound)
    assert sum("accelctl:reap" in estate.labels_of(one) for one in estate.ids()) == 497


def test_a_call_that_is_refused_for_everybody_is_told_of_everybody() -> None:
    """Nobody is passed over in silence."""
    with serving(Estate(machines=4, protected=frozenset(range(4)))) as estate:
        assert set(cloud().end(REGION, estate.ids())) == set(estate.ids())
