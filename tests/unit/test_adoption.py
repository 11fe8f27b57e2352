"""What a killed Pulumi was making: every type of our stacks has an id, and a stack's state holds none unconfirmed."""

import copy
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from provisioner.adoption import state as states
from provisioner.adoption.adopt import adopt
from provisioner.catalog import pending
from provisioner.clouds.aws.pending import QUEUE
from provisioner.domain.pending import Pending
from provisioner.errors import ConfigError
from provisioner.sandbox.pulumi import arm, aws, gcp

URN = "urn:pulumi:s::accelctl::"
ROLE = "aws:iam/role:Role"


def resource(type: str, name: str, **more: Any) -> dict[str, Any]:
    held: dict[str, Any] = {"urn": f"{URN}{type}::{name}", "type": type, "custom": True, "inputs": {"name": name}}
    return held | more


def state(*resources: dict[str, Any], creating: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    operations = [{"resource": one, "type": "creating"} for one in creating]
    return {"version": 3, "deployment": {"resources": list(resources), "pending_operations": operations}}


class Engine:
    """A stack in memory; `there` are the ids that the cloud knows, `refusals` of the next refreshes."""

    def __init__(self, held: dict[str, Any], there: Collection[str] = (), refusals: int = 0) -> None:
        self.held, self.there, self.refusals, self.reads = held, there, refusals, 0

    def state(self) -> dict[str, Any]:
        self.reads += 1
        return copy.deepcopy(self.held)

    def replace(self, state: dict[str, Any]) -> None:
        self.held = copy.deepcopy(state)

    def refresh(self) -> None:
        """As the engine does: what was being created stays pending."""
        if self.refusals:
            self.refusals -= 1
            raise ConfigError("'pulumi refresh' ended with 255.", hint="look.")
        inside = self.held["deployment"]
        inside["resources"] = [one for one in inside["resources"] if one.get("id", "") in self.there]

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self.held["deployment"]["resources"]]

    @property
    def pending(self) -> list[str]:
        return [one.name for one in states.pending(self.held)]


class Finder:
    """Finds what is in its hands, unless it is another's."""

    def __init__(self, *ids: str | None) -> None:
        self.ids = ids

    def find(self, one: Pending, told: Mapping[str, str], known: Collection[str]) -> str | None:
        return next((found for found in self.ids if found not in known), "")


def taken(engine: Engine, finder: Finder | None = None) -> dict[str, str]:
    """By name."""
    waiting, ids = adopt(engine, lambda _: finder)
    return {one.name: ids[one.urn] for one in waiting if one.urn in ids}


def test_every_type_that_a_stack_makes_can_be_adopted() -> None:
    """By its inputs, by its label, or because it is only said again."""
    rows = pending.table()
    told = {*rows["ids"], *rows["again"]["types"], *rows["labelled"], QUEUE}

    assert {*aws.KINDS, *gcp.KINDS, *arm.KINDS} - told == set()


def test_an_id_follows_from_the_inputs_and_from_what_the_provider_was_told() -> None:
    """Without what it needs it is not guessed."""
    node = resource("gcp:tpu/v2Vm:V2Vm", "n", inputs={"name": "n-1", "zone": "us-central1-a"})
    held = state(resource("pulumi:providers:gcp", "default", inputs={"project": "p"}), creating=(node,))
    (one,) = states.pending(held)

    assert pending.id_of(one, states.settings(held, one.cloud)) == "projects/p/locations/us-central1-a/nodes/n-1"
    assert pending.id_of(one, {}) is None


def test_the_subscription_follows_from_another_id() -> None:
    """The state of azure-native's provider need not hold it."""
    group = resource("azure-native:resources:ResourceGroup", "g", id="/subscriptions/s-1/resourceGroups/g")

    assert states.settings(state(group), "azure-native") == {"subscription": "s-1"}


def test_what_was_made_is_in_the_state_and_what_was_not_is_forgotten() -> None:
    """What it replaces is left to be deleted; nothing is pending any more."""
    made, gone = resource(ROLE, "made"), resource(ROLE, "gone")
    engine = Engine(state(resource(ROLE, "made", id="old"), creating=(made, gone)), there={"old", "made"})

    assert taken(engine) == {"made": "made", "gone": ""}
    assert [(one["id"], one.get("delete", False)) for one in engine.held["deployment"]["resources"]] == [
        ("old", True),
        ("made", False),
    ]
    assert engine.pending == []


def test_a_state_that_holds_nothing_yet_takes_what_was_made() -> None:
    """Pulumi leaves an empty list of resources out."""
    held = state(creating=(resource(ROLE, "made"),))
    del held["deployment"]["resources"]
    (urn,) = (one.urn for one in states.pending(held))

    assert states.known(states.taking(held, {urn: "i-1"})) == {"i-1"}


def test_what_nobody_can_tell_stays_pending() -> None:
    """And nothing is written."""
    engine = Engine(state(creating=(resource("aws:strange/thing:Thing", "odd"),)))
    before = copy.deepcopy(engine.held)

    assert (taken(engine), engine.held) == ({}, before)


def test_an_id_that_pulumi_has_not_read_is_pending_until_it_has() -> None:
    """A refused refresh leaves a guess in the state: the next run reads it again, and drops what is not there."""
    engine = Engine(state(creating=(resource(ROLE, "made"), resource(ROLE, "guess"))), there={"made"}, refusals=1)
    with pytest.raises(ConfigError) as refusal:
        taken(engine)

    assert "before any 'pulumi up'" in refusal.value.hint
    assert engine.pending == ["made", "guess"]
    assert taken(engine) == {"made": "made", "guess": ""}
    assert (engine.ids, engine.pending) == (["made"], [])


def test_what_was_found_by_its_label_is_not_looked_for_again() -> None:
    """Nor written twice, after a refused refresh."""
    engine = Engine(state(creating=(resource(ROLE, "one"),)), there={"i-1"}, refusals=1)
    with pytest.raises(ConfigError):
        taken(engine, Finder("i-1"))

    assert taken(engine, Finder("i-1")) == {"one": "i-1"}
    assert engine.ids == ["i-1"]


def test_two_that_are_alike_are_never_given_the_same_id() -> None:
    """One was made: the other was not."""
    engine = Engine(state(creating=(resource(ROLE, "one"), resource(ROLE, "two"))), there={"i-1"})

    assert taken(engine, Finder("i-1")) == {"one": "i-1", "two": ""}
    assert engine.ids == ["i-1"]


def test_a_state_that_changed_meanwhile_is_not_overwritten() -> None:
    """Another Pulumi wrote while the cloud was asked."""

    class Busy(Engine):
        def state(self) -> dict[str, Any]:
            held = super().state()
            if self.reads == 2:
                held["deployment"]["resources"].append(resource(ROLE, "new", id="new"))
            return held

    engine = Busy(state(creating=(resource(ROLE, "made"),)), there={"made"})
    with pytest.raises(ConfigError, match="changed meanwhile; nothing was written"):
        taken(engine)

    assert engine.pending == ["made"]
