"""Cloud Scheduler's jobs, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given


def create_job(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    scheduler = clients("cloudscheduler")
    parent = f"projects/{scheduler.project}/locations/{inputs.get('region') or scheduler.region()}"
    name = f"{parent}/jobs/{inputs['name']}"
    target = inputs["httpTarget"]
    scheduler.call("POST", f"{parent}/jobs", given({
        "name": name, "schedule": inputs.get("schedule"), "timeZone": inputs.get("timeZone"),
        "httpTarget": given({"uri": target["uri"], "httpMethod": target.get("httpMethod"),
                             "oauthToken": target.get("oauthToken")}),
    }))  # fmt: skip
    return name, {"state": "ENABLED"}


def read_job(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("cloudscheduler").get(name)
    return {"state": found["state"]} if found else None


def delete_job(clients: Clients, name: str, _: Inputs) -> None:
    clients("cloudscheduler").delete(name)


KINDS: dict[str, Kind] = {
    "gcp:cloudscheduler/job:Job": Kind(
        create=create_job, read=read_job, delete=delete_job, autoname="name", computed=("state",)
    ),
}  # fmt: skip
