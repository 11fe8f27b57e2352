"""Cloud Scheduler's jobs, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

PLAIN = ("description", "schedule", "timeZone", "attemptDeadline")
JOB = (*PLAIN, "httpTarget", "retryConfig")
RETRIES = ("retryCount", "maxRetryDuration", "minBackoffDuration", "maxBackoffDuration", "maxDoublings")


def create_job(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    scheduler = clients("cloudscheduler")
    parent = f"projects/{scheduler.project}/locations/{inputs.get('region') or scheduler.region()}"
    name = f"{parent}/jobs/{inputs['name']}"
    scheduler.call("POST", f"{parent}/jobs", {"name": name} | given(wanted(inputs)))
    return name, read_job(clients, name, inputs) or {}


def wanted(inputs: Inputs) -> Inputs:
    """What a job has besides its name."""
    target, retries = inputs.get("httpTarget") or {}, inputs.get("retryConfig") or {}
    token = target.get("oauthToken") and {
        "serviceAccountEmail": target["oauthToken"].get("serviceAccountEmail"),
        "scope": target["oauthToken"].get("scope"),
    }
    call = {"uri": target.get("uri"), "httpMethod": target.get("httpMethod"), "oauthToken": token}
    return {name: inputs.get(name) for name in PLAIN} | {
        "httpTarget": given(call), "retryConfig": {one: retries[one] for one in RETRIES if one in retries},
    }  # fmt: skip


def read_job(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("cloudscheduler").get(name)
    if found is None:
        return None
    return {
        "state": found["state"],
        **{one: found[one] for one in JOB if one in found},
    }


def update_job(clients: Clients, name: str, _: Inputs, new: Inputs) -> None:
    job = wanted(new)
    clients("cloudscheduler").call("PATCH", name, given(job), updateMask=",".join(job))


def delete_job(clients: Clients, name: str, _: Inputs) -> None:
    clients("cloudscheduler").delete(name)


KINDS: dict[str, Kind] = {
    "gcp:cloudscheduler/job:Job": Kind(
        create=create_job, read=read_job, delete=delete_job, update=update_job, autoname="name", computed=("state",),
        replaces=("name", "region", "project"), drifts=JOB,
    ),
}  # fmt: skip
