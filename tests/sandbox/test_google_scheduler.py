"""Cloud Scheduler in the sandbox: what it calls, it calls as somebody, who may what the project grants."""

from typing import Any

import pytest

from provisioner.sandbox.client import PROJECT, ask
from tests.sandbox.google import call, nodes
from tests.sandbox.world import until

pytestmark = pytest.mark.usefixtures("sandbox")
HERE = f"projects/{PROJECT}"
PLACE = f"{HERE}/locations/us-central1-a"
DELETE = "tpu.nodes.delete"


def made(service: str, name: str, body: Any, **query: str) -> dict[str, Any]:
    status, answer = call(service, "POST", name, body, **query)
    assert status == 200, answer
    return answer


def node(name: str) -> str:
    """Its path."""
    body = {"acceleratorType": "v5litepod-8", "runtimeVersion": "v2-alpha-tpuv5-lite"}
    made("tpu", f"{PLACE}/nodes", body, nodeId=name)
    return f"{PLACE}/nodes/{name}"


def granted(name: str, *permissions: str) -> tuple[str, str]:
    """An account to which these are granted, and the role."""
    email = made("iam", f"{HERE}/serviceAccounts", {"accountId": name})["email"]
    role = {"title": name, "includedPermissions": list(permissions)}
    path = made("iam", f"{HERE}/roles", {"roleId": name.replace("-", "_"), "role": role})["name"]
    binding = {"role": path, "members": [f"serviceAccount:{email}"]}
    made("cloudresourcemanager", f"{HERE}:setIamPolicy", {"policy": {"bindings": [binding]}})
    return email, path


def permit(role: str, *permissions: str) -> None:
    assert call("iam", "PATCH", role, {"includedPermissions": list(permissions)})[0] == 200


def deleting(path: str, email: str, **more: Any) -> str:
    """A job that deletes the node at every full minute."""
    target = {"uri": f"https://tpu.googleapis.com/v2/{path}", "httpMethod": "DELETE",
              "oauthToken": {"serviceAccountEmail": email}}  # fmt: skip
    name = f"{PLACE}/jobs/{path.rsplit('/', 1)[-1]}"
    return made("cloudscheduler", f"{PLACE}/jobs", {
        "name": name, "schedule": "* * * * *", "timeZone": "Etc/UTC", "httpTarget": target, **more,
    })["name"]  # fmt: skip


def failures(job: str) -> list[str]:
    return [one for one in ask("status")["failed_jobs"] if job in one]


def test_a_job_may_what_its_accounts_role_says() -> None:
    """It is refused by the name of the permission; and once that is granted, it does what it should."""
    email, role = granted("reader-only", "tpu.nodes.get")
    job = deleting(node("kept"), email)
    ask("clock", advance="60")
    assert until(lambda: failures(job))
    assert DELETE in failures(job)[0]
    assert len(nodes()) == 1

    permit(role, DELETE)
    ask("clock", advance="60")

    assert until(lambda: not nodes())
    call("cloudscheduler", "DELETE", job)


def test_a_deleted_role_grants_nothing_and_keeps_its_id() -> None:
    """For weeks, as Google has it."""
    _, role = granted("gone-soon", DELETE)
    assert call("iam", "DELETE", role)[1]["deleted"]

    grant = {"policy": {"bindings": [{"role": role, "members": ["user:ann@example.com"]}]}}
    again = {"roleId": "gone_soon", "role": {"title": "again"}}
    refused = [call("cloudresourcemanager", "POST", f"{HERE}:setIamPolicy", grant)]
    refused.append(call("iam", "POST", f"{HERE}/roles", again))

    assert [status for status, _ in refused] == [400, 400]
    assert "does not exist" in refused[0][1]["error"]["message"]
    assert "in a deleted state" in refused[1][1]["error"]["message"]
