"""Google Cloud's resource types, as pulumi-gcp names and shapes them."""

import time
from dataclasses import dataclass
from typing import Any

import requests

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

WITHIN, PAUSE = 60.0, 0.1
"""Seconds for an operation."""
NODE = ("acceleratorType", "runtimeVersion", "networkConfig", "schedulingConfig", "labels", "metadata", "tags",
        "description", "cidrBlock", "acceleratorConfig")  # fmt: skip
IN_PLACE = ("labels", "metadata", "tags", "description")


@dataclass
class Service:
    """One API: documents in and out; a refusal is requests' HTTPError with Google's own words in it."""

    session: requests.Session
    root: str
    project: str
    config: Inputs

    def call(self, method: str, name: str, body: Any = None, **query: str) -> Any:
        answer = self.session.request(method, f"{self.root}/{name}", json=body, params=query, timeout=WITHIN)
        if not answer.ok:
            raise requests.HTTPError(answer.json()["error"]["message"], response=answer)
        return answer.json()

    def get(self, name: str) -> Any:
        """None where there is no such thing."""
        try:
            return self.call("GET", name)
        except requests.HTTPError as refusal:
            if refusal.response.status_code != 404:
                raise
            return None

    def delete(self, name: str) -> Any:
        """Gone already is success."""
        return self.call("DELETE", name) if self.get(name) is not None else None

    def finish(self, operation: Inputs) -> Inputs:
        """What a long-running operation gives in the end."""
        end = time.monotonic() + WITHIN
        while not operation.get("done"):
            if time.monotonic() > end:
                raise requests.Timeout(f"{operation['name']} does not end")
            time.sleep(PAUSE)
            operation = self.call("GET", operation["name"])
        return operation.get("response", {})

    def region(self) -> str:
        return self.config.get("region") or (self.config.get("zone") or "us-central1-a").rsplit("-", 1)[0]


# TPUs ----------------------------------------------------------------------------------------------------------------


def create_node(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    tpu = clients("tpu")
    parent = f"projects/{tpu.project}/locations/{inputs.get('zone') or tpu.config.get('zone')}"
    tpu.finish(tpu.call("POST", f"{parent}/nodes", wanted(inputs), nodeId=inputs["name"]))
    name = f"{parent}/nodes/{inputs['name']}"
    return name, read_node(clients, name, inputs) or {}


def wanted(inputs: Inputs) -> Inputs:
    account = inputs.get("serviceAccount") or {}
    plain = given({name: inputs.get(name) for name in NODE})
    return plain | ({"serviceAccount": {"email": account["email"], "scope": account.get("scopes")}} if account else {})


def read_node(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("tpu").get(name)
    if found is None:
        return None
    endpoints = [{"ipAddress": one["ipAddress"], "port": one["port"],
                  "accessConfigs": [one["accessConfig"]] if "accessConfig" in one else []}
                 for one in found["networkEndpoints"]]  # fmt: skip
    labels = found.get("labels") or {}
    return {"state": found["state"], "health": found["health"], "networkEndpoints": endpoints, "labels": labels,
            "effectiveLabels": labels, "pulumiLabels": labels}  # fmt: skip


def update_node(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    changed = [field for field in IN_PLACE if old.get(field) != new.get(field)]
    body = {field: new.get(field) for field in changed}
    tpu = clients("tpu")
    tpu.finish(tpu.call("PATCH", name, body, updateMask=",".join(changed)))


def delete_node(clients: Clients, name: str, state: Inputs) -> None:
    tpu = clients("tpu")
    if state.get("deletionPolicy") != "ABANDON" and (operation := tpu.delete(name)):
        tpu.finish(operation)


def refusals(inputs: Inputs) -> list[tuple[str, str]]:
    """What the real provider refuses before any call."""
    if inputs.get("acceleratorType") and inputs.get("acceleratorConfig"):
        return [("acceleratorConfig", "only one of acceleratorType and acceleratorConfig may be set")]
    return []


# what stands around ---------------------------------------------------------------------------------------------------


def create_network(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    compute = clients("compute")
    parent = f"projects/{compute.project}/global/networks"
    compute.call("POST", parent, given({
        "name": inputs["name"], "autoCreateSubnetworks": inputs.get("autoCreateSubnetworks", True),
    }))  # fmt: skip
    return (name := f"{parent}/{inputs['name']}"), read_link(clients, name, inputs) or {}


def create_subnet(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    compute = clients("compute")
    parent = f"projects/{compute.project}/regions/{inputs.get('region') or compute.region()}/subnetworks"
    compute.call("POST", parent, given({
        "name": inputs["name"], "network": inputs["network"], "ipCidrRange": inputs.get("ipCidrRange"),
        "privateIpGoogleAccess": inputs.get("privateIpGoogleAccess"),
    }))  # fmt: skip
    return (name := f"{parent}/{inputs['name']}"), read_link(clients, name, inputs) or {}


def read_link(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("compute").get(name)
    return {"selfLink": found["selfLink"]} if found else None


def delete_link(clients: Clients, name: str, _: Inputs) -> None:
    clients("compute").delete(name)


def create_account(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    iam = clients("iam")
    body = {"accountId": inputs["accountId"], "serviceAccount": {"displayName": inputs.get("displayName", "")}}
    found = iam.call("POST", f"projects/{iam.project}/serviceAccounts", body)
    return found["name"], read_account(clients, found["name"], inputs) or {}


def read_account(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("iam").get(name)
    if found is None:
        return None
    return {"email": found["email"], "member": f"serviceAccount:{found['email']}", "uniqueId": found["uniqueId"]}


def delete_account(clients: Clients, name: str, _: Inputs) -> None:
    clients("iam").delete(name)


def bindings(clients: Clients, project: str) -> list[Inputs]:
    found = clients("cloudresourcemanager").call("POST", f"projects/{project}:getIamPolicy", {})
    return found.get("bindings", [])


def grant(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    """Reads the policy, adds one member, writes it: as the real provider does."""
    project, role, member = inputs["project"], inputs["role"], inputs["member"]
    held = bindings(clients, project)
    kept = [one for one in held if one["role"] != role]
    members = [name for one in held if one["role"] == role for name in one["members"]]
    policy = {"bindings": [*kept, {"role": role, "members": sorted({*members, member})}]}
    clients("cloudresourcemanager").call("POST", f"projects/{project}:setIamPolicy", {"policy": policy})
    return f"{project}/{role}/{member}", {"etag": ""}


def granted(clients: Clients, _: str, state: Inputs) -> Inputs | None:
    held = bindings(clients, state["project"])
    return {} if any(one["role"] == state["role"] and state["member"] in one["members"] for one in held) else None


def revoke(clients: Clients, _: str, state: Inputs) -> None:
    held = [
        {**one, "members": [name for name in one["members"] if one["role"] != state["role"] or name != state["member"]]}
        for one in bindings(clients, state["project"])
    ]
    policy = {"bindings": [one for one in held if one["members"]]}
    clients("cloudresourcemanager").call("POST", f"projects/{state['project']}:setIamPolicy", {"policy": policy})


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
    "gcp:tpu/v2Vm:V2Vm": Kind(
        create=create_node, read=read_node, delete=delete_node, update=update_node, autoname="name",
        computed=("state", "networkEndpoints"), required=("runtimeVersion",), refusals=refusals,
        replaces=("name", "zone", "acceleratorType", "acceleratorConfig", "runtimeVersion", "networkConfig",
                  "schedulingConfig", "serviceAccount", "cidrBlock"),
    ),
    "gcp:compute/network:Network": Kind(
        create=create_network, read=read_link, delete=delete_link, autoname="name", computed=("selfLink",)
    ),
    "gcp:compute/subnetwork:Subnetwork": Kind(
        create=create_subnet, read=read_link, delete=delete_link, autoname="name", computed=("selfLink",),
        required=("network",),
    ),
    "gcp:serviceaccount/account:Account": Kind(
        create=create_account, read=read_account, delete=delete_account, computed=("email", "member", "uniqueId"),
        required=("accountId",),
    ),
    "gcp:projects/iAMMember:IAMMember": Kind(
        create=grant, read=granted, delete=revoke, computed=("etag",), required=("project", "role", "member")
    ),
    "gcp:cloudscheduler/job:Job": Kind(
        create=create_job, read=read_job, delete=delete_job, autoname="name", computed=("state",)
    ),
}  # fmt: skip
