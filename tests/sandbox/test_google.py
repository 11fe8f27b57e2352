"""Google's own TPU client on the sandbox: what Google refuses is refused, in its words and with its status."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import tpu_v2

from provisioner.sandbox.client import PROJECT
from tests.sandbox.google import call, client, nodes

pytestmark = pytest.mark.usefixtures("sandbox")
PLACE = f"projects/{PROJECT}/locations/us-central1-a"
SOON = Retry(initial=0.05, maximum=0.1, timeout=10)


def node(**changes: Any) -> tpu_v2.Node:
    usual: dict[str, Any] = {
        "accelerator_type": "v5litepod-8",
        "runtime_version": "v2-alpha-tpuv5-lite",
        "labels": {"team": "vision"},
    }
    return tpu_v2.Node(**(usual | changes))


def test_a_node_is_made_listed_and_deleted_by_long_running_operations() -> None:
    """A second one of the same name is refused; a deleted one is not found."""
    made = client().create_node(parent=PLACE, node_id="one", node=node()).result(polling=SOON)
    assert (made.state, made.network_endpoints[0].ip_address[:5]) == (tpu_v2.Node.State.READY, "10.78")
    assert [one.name for one in nodes()] == [f"{PLACE}/nodes/one"]
    with pytest.raises(exceptions.Conflict):
        client().create_node(parent=PLACE, node_id="one", node=node())

    client().delete_node(name=made.name).result(polling=SOON)

    with pytest.raises(exceptions.NotFound):
        client().get_node(name=made.name)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (node(accelerator_type="v5e-8"), "v5e-8 was not found"),
        (node(runtime_version="tpu-ubuntu2204-base"), "Runtime version"),
        (node(accelerator_type="v6e-8", runtime_version="v2-alpha-tpuv6e"), "was not found in zone us-central1-a"),
        (node(scheduling_config=tpu_v2.SchedulingConfig(spot=True, reserved=True)), "only one of spot, reserved"),
        (node(labels={"accelctl:owner": "ann"}), "Label"),
        (node(service_account=tpu_v2.ServiceAccount(email="nobody@nowhere")), "does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_google_refuses_is_refused(wrong: tpu_v2.Node, said: str) -> None:
    """400, and nothing is made."""
    with pytest.raises(exceptions.BadRequest, match=said):
        client().create_node(parent=PLACE, node_id="wrong", node=wrong)

    assert nodes() == []


@pytest.mark.parametrize(
    ("mask", "change"),
    [("labels", {"labels": {"accelctl:owner": "eve"}}), ("labels,acceleratorType", {"labels": {"team": "eve"}})],
)
def test_a_refused_change_changes_nothing(mask: str, change: dict[str, Any]) -> None:
    """Neither wrong labels, nor right ones beside what cannot change."""
    made = client().create_node(parent=PLACE, node_id="changed", node=node()).result(polling=SOON)
    status, _ = call("tpu", "PATCH", made.name, change, updateMask=mask)
    after = client().get_node(name=made.name)
    client().delete_node(name=made.name).result(polling=SOON)

    assert (status, dict(after.labels)) == (400, {"team": "vision"})


def by_topology(generation: str, topology: str, **more: Any) -> tpu_v2.Node:
    kind = tpu_v2.AcceleratorConfig.Type[generation]
    return node(accelerator_type="", accelerator_config={"type_": kind, "topology": topology}, **more)


def test_a_type_may_be_said_by_its_topology() -> None:
    """Sixteen chips of v5e are four hosts."""
    made = client().create_node(parent=PLACE, node_id="flat", node=by_topology("V5LITE_POD", "4x4"))
    found = made.result(polling=SOON)
    client().delete_node(name=found.name).result(polling=SOON)

    assert (found.accelerator_type, len(found.network_endpoints)) == ("v5litepod-16", 4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (by_topology("V5LITE_POD", "3x3"), "3x3 was not found for V5LITE_POD"),
        (by_topology("V5P", "2x4"), "2x4 was not found for V5P"),
        (by_topology("V5P", "2x2x1"), "Runtime version"),
    ],
)
def test_a_topology_that_its_generation_lacks_is_refused(wrong: tpu_v2.Node, said: str) -> None:
    """As a type is that nobody knows; the runtime has to fit it."""
    with pytest.raises(exceptions.BadRequest, match=said):
        client().create_node(parent=PLACE, node_id="wrong", node=wrong)


HERE = f"projects/{PROJECT}"


@pytest.mark.parametrize(
    ("service", "name", "body", "field"),
    [
        ("compute", f"{HERE}/global/networks", {}, "name"),
        ("iam", f"{HERE}/serviceAccounts", {}, "accountId"),
        ("cloudresourcemanager", f"{HERE}:setIamPolicy", {}, "policy"),
        ("cloudresourcemanager", f"{HERE}:setIamPolicy", {"policy": {"bindings": [{"role": "roles/x"}]}}, "members"),
        ("cloudscheduler", f"{PLACE}/jobs", {"name": "j", "schedule": "* * * * *"}, "httpTarget"),
        ("cloudscheduler", f"{PLACE}/jobs", {"name": "j", "schedule": "* * * * *", "httpTarget": {}}, "uri"),
        ("cloudscheduler", f"{PLACE}/jobs", {"name": "j", "httpTarget": {"uri": "u"}}, "schedule"),
        ("tpu", f"{PLACE}/nodes", {"acceleratorType": "v5litepod-8"}, "nodeId"),
    ],
)
def test_a_missing_field_is_named(service: str, name: str, body: dict[str, Any], field: str) -> None:
    """400, whatever is made."""
    status, said = call(service, "POST", name, body)

    assert (status, said["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert f"'{field}'" in said["error"]["message"]


def test_what_is_no_document_is_refused() -> None:
    """400, as what cannot be read is."""
    status, said = call("compute", "POST", f"{HERE}/global/networks", [1])

    assert (status, "Invalid JSON" in said["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"network": "nowhere", "allowed": [{"IPProtocol": "tcp"}]}, "nowhere"),
        ({}, "'allowed'"),
        ({"allowed": [{"IPProtocol": "tcp"}], "sourceRanges": ["the world"]}, "the world"),
    ],
)
def test_a_wrong_firewall_rule_is_refused(rule: dict[str, Any], said: str) -> None:
    """The network has to be there, and something has to be let through, from somewhere."""
    call("compute", "POST", f"{HERE}/global/networks", {"name": "n"})
    wanted = {"name": "f", "network": f"{HERE}/global/networks/n"} | rule

    status, answer = call("compute", "POST", f"{HERE}/global/firewalls", wanted)

    assert (status, said in answer["error"]["message"]) == (400, True)


@pytest.mark.parametrize("identity", ["short", "9lives", "Ann-and-co", "under_score", "ends-with-", "x" * 31])
def test_an_accounts_id_is_as_google_wants_it(identity: str) -> None:
    """6 to 30 small letters, digits and hyphens."""
    status, answer = call("iam", "POST", f"{HERE}/serviceAccounts", {"accountId": identity})

    assert (status, f'"{identity}"' in answer["error"]["message"]) == (400, True)
