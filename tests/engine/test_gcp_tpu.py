"""gcp-tpu-v5e under the real engine: slices that Google's own client finds, that end by themselves, and that go."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import PROJECT, ask
from tests.engine.project import NO_CHANGE, PACK, Project, project, ready
from tests.sandbox.google import call, nodes
from tests.sandbox.world import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stack, up, with nothing configured but the project."""
    made = ready(tmp_path_factory.mktemp("project"), "gcp-tpu-v5e")
    made.run("preview", *PACK)
    assert nodes() == []
    made.up(*PACK)
    return made


def test_what_is_made_is_right_and_safe(stack: Project) -> None:
    """One spot slice with its runtime, its own account, no outer address, and our labels; its end is there first."""
    (node,) = nodes()

    assert stack.made_in_order("gcp:cloudscheduler/job:Job", "gcp:tpu/v2Vm:V2Vm")

    assert (node.accelerator_type, node.runtime_version) == ("v5litepod-8", "v2-alpha-tpuv5-lite")
    assert node.scheduling_config.spot
    assert not node.network_config.enable_external_ips
    assert not node.network_endpoints[0].access_config.external_ip
    assert node.service_account.email.endswith(f"@{PROJECT}.iam.gserviceaccount.com")
    assert dict(node.labels)["accelctl-managed"] == "accelctl"
    assert dict(node.labels)["accelctl-owner"] == "developer"
    assert dict(node.labels)["accelctl-stack"] == "gcp-tpu-v5e"
    assert "tunnel-through-iap" in stack.outputs()["connect"][0]
    assert stack.outputs()["on_demand_usd_per_hour"] == "9.60"


def test_ssh_comes_through_googles_proxy_alone_and_machines_reach_each_other(stack: Project) -> None:
    """A network lets nothing in by itself."""
    names = [one for key, one in stack.resources().items() if "firewall:Firewall::" in key]
    rules = [call("compute", "GET", name)[1] for name in names]

    assert sorted((one["sourceRanges"], one["allowed"]) for one in rules) == [
        (["10.78.0.0/16"], [{"IPProtocol": "all"}]),
        (["35.235.240.0/20"], [{"IPProtocol": "tcp", "ports": ["22"]}]),
    ]


def test_what_ends_the_nodes_may_do_nothing_else(stack: Project) -> None:
    """A role of two permissions, granted to one account."""
    (role,) = [one for key, one in stack.resources().items() if "IAMCustomRole::" in key]
    (binding,) = call("cloudresourcemanager", "POST", f"projects/{PROJECT}:getIamPolicy", {})[1]["bindings"]

    assert call("iam", "GET", role)[1]["includedPermissions"] == ["tpu.nodes.delete", "tpu.nodes.get"]
    assert (binding["role"], len(binding["members"])) == (role, 1)


def test_up_again_changes_nothing(stack: Project) -> None:
    """Nor does a refresh find a difference; the moment of the end stays."""
    before = stack.outputs()["ends_at"]
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)

    assert stack.outputs()["ends_at"] == before


def test_what_somebody_changed_by_hand_is_seen_and_put_back_in_place(stack: Project) -> None:
    """A label, the moment when the job comes, what the account says of itself."""
    before = stack.resources()
    node, job, keeper = (only(before, kind) for kind in ("V2Vm::", "job:Job::", "End$gcp:serviceaccount/account"))
    was = [call(service, "GET", name)[1] for service, name in (("tpu", node), ("cloudscheduler", job), ("iam", keeper))]
    call("tpu", "PATCH", node, {"labels": was[0]["labels"] | {"accelctl-owner": "eve"}}, updateMask="labels")
    call("cloudscheduler", "PATCH", job, {"schedule": "0 0 1 1 *"}, updateMask="schedule")
    call("iam", "PATCH", keeper, {"serviceAccount": {"description": "mine"}, "updateMask": "description"})

    assert stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE, well=False).returncode != 0
    stack.up(*PACK)

    now = [call(service, "GET", name)[1] for service, name in (("tpu", node), ("cloudscheduler", job), ("iam", keeper))]
    assert stack.resources() == before
    assert [now[0]["labels"], now[1]["schedule"], now[2]] == [was[0]["labels"], was[1]["schedule"], was[2]]


def only(resources: dict[str, str], part: str) -> str:
    """The id of the one whose type has this in it."""
    (found,) = [one for key, one in resources.items() if part in key]
    return found


def test_another_end_keeps_the_node_and_another_type_replaces_it(stack: Project) -> None:
    """Labels change in place; a type cannot."""
    before, name = stack.outputs()["ends_at"], nodes()[0].name
    stack.configure(endAfter="3h")
    stack.up(*PACK)
    assert [node.name for node in nodes()] == [name]
    assert stack.outputs()["ends_at"] < before
    stack.configure(acceleratorType="v5litepod-16")
    stack.up(*PACK)

    (node,) = nodes()
    assert (node.name, node.accelerator_type, len(node.network_endpoints)) == (name, "v5litepod-16", 4)


def test_on_demand_without_an_end_is_blocked_and_with_one_it_passes(stack: Project) -> None:
    """The stack's own end is what makes on-demand acceptable."""
    stack.configure(capacity="on-demand")
    stack.run("preview", *PACK)
    stack.configure(capacity="spot")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("acceleratorType", "v5e-8", "v5litepod-8"),
        ("zone", "us-east1-a", "us-central1-a"),
        ("capacity", "cheap", "spot, reserved, on-demand"),
        ("endAfter", "1y", "endAfter"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project, key: str, value: str, said: str) -> None:
    """Before anything is made."""
    stack.refuses(key, value, said)


@pytest.mark.full
def test_nothing_is_made_once_the_end_has_passed(stack: Project) -> None:
    """What is there stays; another end lets the next one in."""
    stack.configure(endAfter="3h", acceleratorType="v5litepod-16")
    stack.up(*PACK)
    keeper = only(stack.resources(), "End$gcp:serviceaccount/account")
    late = {"serviceAccount": {"displayName": "2026-01-01T00:00:00Z"}, "updateMask": "displayName"}
    assert call("iam", "PATCH", keeper, late)[0] == 200
    stack.run("refresh", "--yes", "--skip-preview")
    stack.configure(acceleratorType="v5litepod-4")
    before = nodes()

    refused = stack.up(well=False)

    assert (refused.returncode != 0, nodes()) == (True, before)
    assert "the end of this stack is 2026-01-01T00:00:00Z" in refused.stdout + refused.stderr
    stack.configure(endAfter="2h")
    stack.up(*PACK)
    assert [node.accelerator_type for node in nodes()] == ["v5litepod-4"]


def test_the_end_really_ends_the_nodes_and_destroy_leaves_nothing(stack: Project) -> None:
    """Cloud Scheduler deletes them with a token of its account; destroy removes the rest."""
    stack.configure(endAfter="3h", acceleratorType="v5litepod-16")
    stack.up(*PACK)
    ask("clock", advance=str(4 * 3600))
    assert until(lambda: not nodes())
    assert ask("status")["failed_jobs"] == []

    stack.run("destroy", "--yes", "--skip-preview")

    assert not any(ask("status")["google"].values())


@pytest.fixture
def fresh(sandbox: dict[str, Any], tmp_path: Path) -> Iterator[Project]:
    made = project(tmp_path, "gcp-tpu-v5p-Team_One.whose-name-is-longer-than-what-Google-takes")
    yield made
    made.run("destroy", "--yes", "--skip-preview")


@pytest.mark.full
def test_v5p_comes_the_same_way_and_wants_a_project(fresh: Project) -> None:
    """Without one it says which key is missing. A stack may be called as one likes."""
    assert os.environ.get("GOOGLE_PROJECT") == PROJECT
    missing = fresh.run("preview", well=False)
    assert "gcp:project" in missing.stdout
    fresh.run("config", "set", "gcp:project", PROJECT)
    fresh.up(*PACK)

    made = [(node.accelerator_type, node.runtime_version) for node in nodes()]
    assert ("v5p-8", "v2-alpha-tpuv5") in made


@pytest.mark.full
def test_an_interrupted_up_is_finished_by_the_next_one(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Ctrl-C in the middle; the next `up` makes what is missing and nothing twice, and destroy finds all of it."""
    made = ready(tmp_path, "gcp-tpu-v5e-again")
    before, slices = ask("status")["google"], len(nodes())
    assert made.interrupted("gcp:compute:Network") != 0
    assert len(nodes()) == slices
    made.up(*PACK)

    there = [one for one in made.resources().values() if one.startswith("projects/")]
    assert len(nodes()) == slices + 1
    assert sum(ask("status")["google"].values()) - sum(before.values()) == len(there)
    made.run("destroy", "--yes", "--skip-preview")
    assert ask("status")["google"] == before
