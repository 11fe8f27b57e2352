"""Cloud Scheduler in the sandbox: what it calls, it calls as somebody, who may what the project grants."""

from datetime import datetime, timedelta
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


def soon(minutes: int = 1) -> str:
    """Cron's line for the start of that minute."""
    moment = datetime.fromisoformat(ask("clock")["now"]) + timedelta(minutes=minutes)
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} *"


def there(path: str) -> bool:
    return any(one.name == path for one in nodes())


def tried(job: str) -> bool:
    return "lastAttemptTime" in call("cloudscheduler", "GET", job)[1]


def test_what_is_refused_is_tried_again() -> None:
    """After a pause: a grant that comes late is not too late, and the job has not failed."""
    email, role = granted("comes-late", "tpu.nodes.get")
    job = deleting(
        path := node("late"), email, schedule=soon(), retryConfig={"retryCount": 2, "minBackoffDuration": "60s"}
    )
    ask("clock", advance="60")
    assert until(lambda: tried(job))
    assert there(path)
    permit(role, DELETE)
    ask("clock", advance="60")

    assert until(lambda: not there(path))
    assert not failures(job)


def test_a_job_gives_up_after_as_many_tries_as_it_says() -> None:
    """A node that is gone already is one of them: nothing else happens."""
    email, _ = granted("comes-twice", DELETE)
    job = deleting(f"{PLACE}/nodes/gone", email, schedule=soon(), retryConfig={"retryCount": 1})
    ask("clock", advance="60")
    assert until(lambda: tried(job))
    assert not failures(job)
    ask("clock", advance="60")

    assert "NOT_FOUND" in until(lambda: failures(job))[0]


def test_a_changed_job_comes_when_it_says_now() -> None:
    """And no longer when it said before."""
    email, _ = granted("comes-later", DELETE)
    later, witness = node("later"), node("witness")
    job = deleting(later, email, schedule=soon())
    deleting(witness, email, schedule=soon(2))
    assert call("cloudscheduler", "PATCH", job, {"schedule": soon(30)}, updateMask="schedule")[0] == 200
    ask("clock", advance="180")
    assert until(lambda: not there(witness))
    assert there(later)
    ask("clock", advance="1800")

    assert until(lambda: not there(later))


@pytest.mark.parametrize("wrong", [{"retryCount": 6}, {"minBackoffDuration": "a minute"}])
def test_retries_are_as_google_allows_them(wrong: dict[str, Any]) -> None:
    """Five at most, and durations in seconds."""
    job = {"name": f"{PLACE}/jobs/j", "schedule": "* * * * *", "httpTarget": {"uri": "u"}, "retryConfig": wrong}

    assert call("cloudscheduler", "POST", f"{PLACE}/jobs", job)[0] == 400
