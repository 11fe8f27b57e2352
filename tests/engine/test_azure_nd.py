"""azure-nd under the real engine: machines that Azure's own client finds, that Azure shuts down, and that go whole."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.engine.project import KEY, NO_CHANGE, PACK, Project, project, ready
from tests.sandbox.azure import compute, machines, power
from tests.sandbox.world import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
STACK = "azure-nd"


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stack, up, with a public key and nothing else configured."""
    made = project(tmp_path_factory.mktemp("project"), STACK)
    missing = made.run("preview", well=False)
    assert "accelctl:sshKey" in missing.stdout
    made.configure(sshKey=KEY)
    made.run("preview", *PACK)
    assert machines() == []
    made.up(*PACK)
    return made


def test_what_is_made_is_right_and_safe(stack: Project) -> None:
    """One spot H100 machine that is deleted when evicted, with everything that belongs to it; no password, our tags."""
    (machine,) = machines()

    assert (machine.hardware_profile.vm_size, machine.priority) == ("Standard_ND96isr_H100_v5", "Spot")
    assert (machine.eviction_policy, machine.billing_profile.max_price) == ("Delete", -1)
    assert machine.storage_profile.os_disk.delete_option == "Delete"
    assert machine.network_profile.network_interface_configurations[0].delete_option == "Delete"
    assert machine.os_profile.linux_configuration.disable_password_authentication
    assert machine.security_profile.encryption_at_host
    assert machine.scheduled_events_profile.terminate_notification_profile.enable
    assert machine.tags["accelctl:owner"] == "developer"
    assert machine.tags["accelctl:stack"] == STACK
    assert machine.tags["accelctl:expires-at"] == stack.outputs()["ends_at"]
    assert power(machine) == "running"
    assert stack.outputs()["on_demand_usd_per_hour"] == "98.32"


def test_up_again_changes_nothing(stack: Project) -> None:
    """Nor does a refresh find a difference; the moment of the end stays."""
    before = stack.outputs()["ends_at"]
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)

    assert stack.outputs()["ends_at"] == before


def test_another_end_keeps_the_machine_and_another_purchase_replaces_it(stack: Project) -> None:
    """Tags change in place; spot cannot become on demand."""
    born, before = machines()[0].vm_id, stack.outputs()["ends_at"]
    stack.configure(endAfter="3h")
    stack.up(*PACK)
    assert machines()[0].vm_id == born
    assert stack.outputs()["ends_at"] < before
    stack.configure(capacity="on-demand")
    stack.up(*PACK)

    (machine,) = machines()
    assert (machine.vm_id != born, machine.priority) == (True, "Regular")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("vmSize", "Standard_ND999", "Standard_ND96isr_H100_v5"),
        ("eviction", "Keep", "Delete, Deallocate"),
        ("endAfter", "3d", "from 60m to 1d"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project, key: str, value: str, said: str) -> None:
    """Before anything is made."""
    stack.refuses(key, value, said)


def test_azure_itself_shuts_it_down_and_destroy_leaves_nothing(stack: Project) -> None:
    """Deallocated at the minute of its end, by a schedule that no destroy removes before its machine; disks and cards
    go along.
    """
    stack.configure(endAfter="3h", capacity="on-demand")
    stack.up(*PACK)
    (machine,) = machines()
    ask("clock", advance=str(4 * 3600))
    assert until(lambda: power(machine) == "deallocated")
    state = json.loads(stack.run("stack", "export").stdout)["deployment"]["resources"]
    (end,) = [one for one in state if one["type"].endswith("GlobalSchedule")]
    assert end["deletedWith"].endswith("azure-native:resources:ResourceGroup::nd")

    stack.run("destroy", "--yes", "--skip-preview")

    assert machines() == []
    assert list(compute().disks.list()) == []
    assert ask("status")["azure"] == {"resources": 0}


def test_what_azure_refuses_is_refused_in_its_words(stack: Project, tmp_path: Path) -> None:
    """An eviction policy on a machine that is not spot, through Azure's own client."""
    from azure.core.exceptions import HttpResponseError

    wrong: Any = {"location": "eastus", "properties": {
        "hardwareProfile": {"vmSize": "Standard_ND96asr_v4"}, "evictionPolicy": "Delete"}}  # fmt: skip
    with pytest.raises(HttpResponseError, match="ResourceGroupNotFound"):
        compute().virtual_machines.begin_create_or_update("nowhere", "one", wrong)


@pytest.mark.full
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_up_is_finished_by_the_next_one(
    sandbox: dict[str, Any], tmp_path: Path, how: signal.Signals
) -> None:
    """Ctrl-C, or the engine killed, in the middle: nothing is made twice, and destroy finds all of it."""
    made = ready(tmp_path, f"{STACK}-{how.name.lower()}")
    before = ask("status")["azure"]
    assert made.interrupted("azure-native:network:VirtualNetwork", how) != 0
    assert machines() == []
    if how is signal.SIGKILL:
        made.run("cancel", "--yes")  # its lock is still there
    made.up(*PACK)

    assert len(machines()) == 1
    made.run("destroy", "--yes", "--skip-preview")
    assert ask("status")["azure"] == before
