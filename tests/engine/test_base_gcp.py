"""base-gcp under the real engine: what jobs need once on Google Cloud, under names that do not change."""

from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import PROJECT, ask
from tests.engine.project import NO_CHANGE, PACK, Project, project
from tests.sandbox.google import call

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.usefixtures("sandbox")]
BUCKET, NETWORK = f"accelctl-{PROJECT}", f"projects/{PROJECT}/global/networks/accelctl"


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Up, with nothing configured but the project."""
    made = project(tmp_path_factory.mktemp("project"), "base-gcp")
    made.run("config", "set", "gcp:project", PROJECT)
    made.up_judged()
    return made


def bucket() -> dict[str, Any] | None:
    status, found = call("storage", "GET", f"b/{BUCKET}")
    return found if status == 200 else None


def test_what_is_made_is_private_and_one_account_may_use_it(stack: Project) -> None:
    """No public bucket, no outer address, one role of one account on one bucket."""
    held = bucket() or {}
    (binding,) = call("storage", "GET", f"b/{BUCKET}/iam")[1]["bindings"]
    subnet = call("compute", "GET", f"projects/{PROJECT}/regions/us-central1/subnetworks/accelctl-us-central1")[1]

    assert held["iamConfiguration"] == {
        "uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"
    }  # fmt: skip
    assert held["labels"]["accelctl-stack"] == "base-gcp"
    assert [rule["condition"] for rule in held["lifecycle"]["rule"]] == [
        {"age": 7}, {"age": 1, "matchesPrefix": ["heartbeats/"]}
    ]  # fmt: skip
    assert binding["role"] == "roles/storage.objectUser"
    assert binding["members"] == [f"serviceAccount:{stack.outputs()['account']}"]
    assert (subnet["ipCidrRange"], subnet["privateIpGoogleAccess"]) == ("10.118.0.0/16", True)
    assert call("compute", "GET", NETWORK)[1]["autoCreateSubnetworks"] is False
    assert ask("status")["google"]["firewalls"] == 2


def test_up_again_changes_nothing_and_another_label_changes_the_bucket_alone(stack: Project) -> None:
    """Nor does a refresh find a difference."""
    stack.run("preview", NO_CHANGE, *PACK)
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)
    stack.configure(team="research")
    done = stack.up(*PACK)

    assert (bucket() or {})["labels"]["accelctl-team"] == "research"
    assert "~ 1 updated" in done.stdout


def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project) -> None:
    """Before anything is made."""
    stack.refuses("region", "us central", "us-central1")


def test_what_is_there_stops_another_stack_until_it_is_adopted(stack: Project, tmp_path: Path) -> None:
    """Network, rules, bucket and account are imported as they are, and the first stack's state is given up."""
    other = project(tmp_path, "base-gcp-other")
    other.run("config", "set", "gcp:project", PROJECT)
    refused = other.run("preview", well=False)
    assert f"the bucket {BUCKET} is there already" in refused.stdout
    assert "pulumi config set adopt true" in refused.stdout
    other.configure(region="europe-west4")
    assert "pulumi config set region us-central1" in other.run("preview", well=False).stdout
    other.run("config", "rm", "region")
    before = (bucket(), call("compute", "GET", NETWORK), ask("status")["google"])

    other.configure(adopt="true")
    done = other.up(*PACK)
    assert "= 6 imported" in done.stdout
    assert (bucket(), call("compute", "GET", NETWORK), ask("status")["google"]) == before
    other.up(NO_CHANGE, *PACK)
    other.run("config", "rm", "adopt")
    other.up(*PACK)

    assert (bucket() or {})["labels"]["accelctl-stack"] == "base-gcp-other"


def test_destroy_keeps_the_store_unless_told_otherwise(stack: Project) -> None:
    """The bucket goes with `withData`, with what is in it."""
    call("storage", "POST", f"b/{BUCKET}/o", {"name": "jobs/one/record.json"})
    stack.run("destroy", "--yes", "--skip-preview")
    left = {name: count for name, count in ask("status")["google"].items() if count}
    assert left == {"buckets": 1}

    stack.configure(adopt="true", withData="true")
    stack.up()
    stack.run("config", "rm", "adopt")
    stack.up()
    stack.run("destroy", "--yes", "--skip-preview")

    assert not any(ask("status")["google"].values())
