"""What a killed Pulumi was making: every type of our stacks has an id, or needs none."""

from typing import Any

from provisioner.catalog import pending
from provisioner.clouds.aws.pending import QUEUE
from provisioner.sandbox.pulumi import arm, aws, gcp

URN = "urn:pulumi:s::accelctl::"


def resource(type: str, name: str, **more: Any) -> dict[str, Any]:
    held: dict[str, Any] = {"urn": f"{URN}{type}::{name}", "type": type, "custom": True, "inputs": {}}
    return held | more


def state(*resources: dict[str, Any], creating: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    operations = [{"resource": one, "type": "creating"} for one in creating]
    return {"version": 3, "deployment": {"resources": list(resources), "pending_operations": operations}}


def test_every_type_that_a_stack_makes_can_be_adopted() -> None:
    """By its inputs, by its label, or because it is only said again."""
    rows = pending.table()
    told = {*rows["ids"], *rows["again"]["types"], *rows["labelled"], QUEUE}

    assert {*aws.KINDS, *gcp.KINDS, *arm.KINDS} - told == set()


def test_an_id_follows_from_the_inputs_and_from_what_the_provider_was_told() -> None:
    """Without what it needs it is not guessed."""
    node = resource("gcp:tpu/v2Vm:V2Vm", "n", inputs={"name": "n-1", "zone": "us-central1-a"})
    held = state(resource("pulumi:providers:gcp", "default", inputs={"project": "p"}), creating=(node,))
    (one,) = pending.pending(held)

    assert pending.id_of(one, pending.settings(held, one.cloud)) == "projects/p/locations/us-central1-a/nodes/n-1"
    assert pending.id_of(one, {}) is None


def test_the_subscription_follows_from_another_id() -> None:
    """The state of azure-native's provider need not hold it."""
    group = resource("azure-native:resources:ResourceGroup", "g", id="/subscriptions/s-1/resourceGroups/g")

    assert pending.settings(state(group), "azure-native") == {"subscription": "s-1"}


def test_what_was_made_is_in_the_state_and_the_rest_is_pending_still() -> None:
    """What was not made goes; what nobody can tell stays; what was replaced is left to be deleted."""
    kept, gone, unsure = (resource("aws:iam/role:Role", name) for name in ("kept", "gone", "unsure"))
    before = state(resource("aws:iam/role:Role", "kept", id="old"), creating=(kept, gone, unsure))
    after = pending.adopted(before, {kept["urn"]: "new"}, {gone["urn"]})["deployment"]

    assert [(one["id"], one.get("delete", False)) for one in after["resources"]] == [("old", True), ("new", False)]
    assert [one["resource"]["urn"] for one in after["pending_operations"]] == [unsure["urn"]]
    assert len(before["deployment"]["pending_operations"]) == 3
