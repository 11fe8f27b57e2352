"""Azure's resource types, as pulumi-azure-native names and flattens them; each is one id of ARM's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

VERSION = "2024-07-01"
WITHIN, PAUSE = 60.0, 0.1
"""Seconds for an operation."""
TOP = ("location", "tags", "identity", "zones", "sku")
"""What ARM keeps beside `properties`."""


@dataclass
class Manager:
    """ARM: documents in and out; a refusal is requests' HTTPError with Azure's own words in it."""

    session: requests.Session
    root: str
    subscription: str

    def ask(self, method: str, id: str, body: Any = None) -> requests.Response:
        url = id if id.startswith("http") else f"{self.root}{id}?api-version={VERSION}"
        answer = self.session.request(method, url, json=body, timeout=WITHIN)
        if not answer.ok:
            error = answer.json()["error"]
            raise requests.HTTPError(f"{error['code']}: {error['message']}", response=answer)
        return answer

    def finish(self, answer: requests.Response) -> None:
        """Waits for what goes on in the background."""
        place, end = answer.headers.get("Azure-AsyncOperation"), time.monotonic() + WITHIN
        while place and self.ask("GET", place).json()["status"] != "Succeeded":
            if time.monotonic() > end:
                raise requests.Timeout(f"{place} does not end")
            time.sleep(PAUSE)

    def get(self, id: str) -> Inputs | None:
        try:
            return self.ask("GET", id).json()
        except requests.HTTPError as refusal:
            if refusal.response.status_code != 404:
                raise
            return None


def kind(
    provider: str,
    name: str,
    *,
    nested: Callable[[Inputs], Inputs] = lambda inputs: inputs,
    replaces: tuple[str, ...] = (),
    outputs: Callable[[Inputs], Inputs] = lambda _: {},
    computed: tuple[str, ...] = (),
    shaped: tuple[str, ...] = (),
    required: tuple[str, ...] = ("resourceGroupName",),
) -> Kind:
    """A type at .../providers/PROVIDER/NAME; `nested` puts back what azure-native flattens inside of it."""

    def identity(clients: Clients, inputs: Inputs) -> str:
        group = f"/subscriptions/{clients('arm').subscription}/resourceGroups/{inputs['resourceGroupName']}"
        return f"{group}/providers/{provider}/{inputs[name]}" if provider else group

    def body(inputs: Inputs) -> Inputs:
        inner = {key: value for key, value in nested(inputs).items() if key not in (*TOP, name, "resourceGroupName")}
        top = given({key: nested(inputs).get(key) for key in TOP})
        return top | ({"properties": inner} if inner else {})

    def put(clients: Clients, id: str, inputs: Inputs) -> None:
        clients("arm").finish(clients("arm").ask("PUT", id, body(inputs)))

    def create(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
        id = identity(clients, inputs)
        put(clients, id, inputs)
        return id, read(clients, id, inputs) or {}

    def read(clients: Clients, id: str, _: Inputs) -> Inputs | None:
        found = clients("arm").get(id)
        if found is None:
            return None
        return {"name": found["name"], "type": found["type"], "tags": found.get("tags") or {}} | outputs(found)

    def update(clients: Clients, id: str, old: Inputs, new: Inputs) -> None:
        put(clients, id, {**old, **new})

    def delete(clients: Clients, id: str, _: Inputs) -> None:
        if clients("arm").get(id) is not None:
            clients("arm").finish(clients("arm").ask("DELETE", id))

    return Kind(
        create=create, read=read, delete=delete, update=update, autoname=name, required=required,
        replaces=(name, "resourceGroupName", "location", *replaces), computed=("name", *computed), shaped=shaped,
    )  # fmt: skip


def wrapped(rows: Any, *plain: str) -> list[Inputs]:
    """Each row with everything but these under `properties`."""
    return [
        {key: value for key, value in row.items() if key in plain}
        | {"properties": {key: value for key, value in row.items() if key not in plain}}
        for row in rows or []
    ]


def machine(inputs: Inputs) -> Inputs:
    profile = dict(inputs.get("networkProfile") or {})
    for rows, plain in (("networkInterfaces", "id"), ("networkInterfaceConfigurations", "name")):
        profile[rows] = wrapped(profile.get(rows), plain)
    identity = dict(inputs.get("identity") or {})
    if "userAssignedIdentities" in identity:
        identity["userAssignedIdentities"] = {one: {} for one in identity["userAssignedIdentities"]}
    return inputs | {"networkProfile": profile, "identity": identity}


def shown_machine(found: Inputs) -> Inputs:
    """Identities go in as a list and come out as a map."""
    return {"identity": found["identity"], "vmId": found["properties"]["vmId"]} if found.get("identity") else {}


def network(inputs: Inputs) -> Inputs:
    return inputs | {"subnets": wrapped(inputs.get("subnets"), "name")}


def shown_network(found: Inputs) -> Inputs:
    """A subnet's id follows from its network's."""
    rows = found["properties"].get("subnets") or []
    return {"subnets": [{"name": row["name"], "id": f"{found['id']}/subnets/{row['name']}"} for row in rows]}


def client_config(clients: Clients, _: Inputs) -> Inputs:
    return {"subscriptionId": clients("arm").subscription, "clientId": "", "tenantId": "", "objectId": "developer"}


KINDS: dict[str, Kind] = {
    "azure-native:resources:ResourceGroup": kind("", "resourceGroupName", required=()),
    "azure-native:network:VirtualNetwork": kind(
        "Microsoft.Network/virtualNetworks", "virtualNetworkName", nested=network, outputs=shown_network,
        computed=("subnets",),
    ),
    "azure-native:network:NetworkSecurityGroup": kind(
        "Microsoft.Network/networkSecurityGroups", "networkSecurityGroupName"
    ),
    "azure-native:managedidentity:UserAssignedIdentity": kind(
        "Microsoft.ManagedIdentity/userAssignedIdentities", "resourceName"
    ),
    "azure-native:compute:VirtualMachine": kind(
        "Microsoft.Compute/virtualMachines", "vmName", nested=machine, outputs=shown_machine, shaped=("identity",),
        replaces=("priority", "osProfile", "zones", "evictionPolicy"),
    ),
    "azure-native:devtestlab:GlobalSchedule": kind("Microsoft.DevTestLab/schedules", "name"),
}  # fmt: skip
INVOKES: dict[str, Callable[[Clients, Inputs], Inputs]] = {"azure-native:authorization:getClientConfig": client_config}
