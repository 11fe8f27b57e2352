"""base-azure under the real engine: what jobs need once on Azure, under names that do not change."""

import os
from pathlib import Path
from typing import Any

import pytest
import requests

from provisioner.catalog.foundation_azure import account_name
from provisioner.sandbox.client import SUBSCRIPTION, ask
from tests.engine.project import NO_CHANGE, PACK, Project, project

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/accelctl"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account_name(SUBSCRIPTION)}"
PARTS = ("", "/providers/Microsoft.Network/virtualNetworks/accelctl",
         "/providers/Microsoft.Network/networkSecurityGroups/accelctl")  # fmt: skip


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Up, with nothing configured."""
    made = project(tmp_path_factory.mktemp("project"), "base-azure")
    made.up_judged()
    return made


def held(id: str) -> dict[str, Any] | None:
    """The resource as ARM keeps it; None where there is none."""
    answer = requests.get(f"{os.environ['ARM_ENDPOINT']}{id}?api-version=2024-07-01", timeout=10)
    return answer.json() if answer.ok else None


def tags(id: str) -> dict[str, str]:
    return (held(id) or {})["tags"]


def everything() -> list[Any]:
    return [*(held(f"{GROUP}{part}") for part in PARTS), held(ACCOUNT), held(container())]


def container() -> str:
    return f"{ACCOUNT}/blobServices/default/containers/jobs"


def test_what_is_made_is_private(stack: Project) -> None:
    """No public blob, no key that opens everything, no way in from outside; our tags."""
    group, net, closed, account, store = everything()

    assert group["tags"]["accelctl:stack"] == "base-azure"
    assert account["properties"] | {"provisioningState": ""} == {
        "allowBlobPublicAccess": False, "allowSharedKeyAccess": False, "allowCrossTenantReplication": False,
        "supportsHttpsTrafficOnly": True, "minimumTlsVersion": "TLS1_2", "provisioningState": "",
    }  # fmt: skip
    assert store["properties"]["publicAccess"] == "None"
    assert net["properties"]["subnets"][0]["properties"]["networkSecurityGroup"]["id"] == closed["id"]
    assert stack.outputs() == {
        "group": "accelctl", "store": f"az://{account_name(SUBSCRIPTION)}/jobs",
        "subnet": f"{net['id']}/subnets/machines",
    }  # fmt: skip


@pytest.mark.full
def test_up_again_changes_nothing_and_another_label_changes_labels_alone(stack: Project) -> None:
    """Nor does a refresh find a difference."""
    stack.run("preview", NO_CHANGE, *PACK)
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)
    stack.configure(team="research")
    done = stack.up(*PACK)

    assert tags(GROUP)["accelctl:team"] == "research"
    assert "~ 4 updated" in done.stdout


@pytest.mark.full
def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project) -> None:
    """Before anything is made."""
    stack.refuses("account", "Not An Account", "accelctlmine")


@pytest.mark.full
def test_what_is_there_stops_another_stack_until_it_is_adopted(stack: Project, tmp_path: Path) -> None:
    """Imported as it is, in the region where it is; labelled afterwards."""
    other = project(tmp_path, "base-azure-other")
    refused = other.run("preview", well=False)
    assert f"the resource group {GROUP} is there already" in refused.stdout
    assert "pulumi config set adopt true" in refused.stdout
    other.configure(location="westeurope", adopt="true")
    assert "pulumi config set location eastus" in other.run("preview", well=False).stdout
    other.run("config", "rm", "location")
    before = everything()

    done = other.up(*PACK)
    assert "= 5 imported" in done.stdout
    assert everything() == before
    other.up(NO_CHANGE, *PACK)
    other.run("config", "rm", "adopt")
    other.up(*PACK)

    assert tags(ACCOUNT)["accelctl:stack"] == "base-azure-other"


@pytest.mark.full
def test_destroy_keeps_the_store_unless_told_otherwise(stack: Project) -> None:
    """The network goes; group, account and container go with `withData`."""
    stack.run("destroy", "--yes", "--skip-preview")
    assert ask("status")["azure"] == {"resources": 3}
    assert held(container()) is not None

    stack.configure(adopt="true", withData="true")
    stack.up()
    stack.run("config", "rm", "adopt")
    stack.up()
    stack.run("destroy", "--yes", "--skip-preview")

    assert ask("status")["azure"] == {"resources": 0}
