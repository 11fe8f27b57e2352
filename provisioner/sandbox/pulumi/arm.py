"""Azure's resource types, as pulumi-azure-native names and flattens them; each is one id of ARM's."""

import re
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
HTTPS = ("enableHttpsTrafficOnly", "supportsHttpsTrafficOnly")
TOP = ("location", "tags", "identity", "zones", "sku", "kind")
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
    shows: Callable[[Inputs], Inputs] = lambda _: {},
) -> Kind:
    """A type at .../providers/PROVIDER/NAME, where PROVIDER may hold the names of inputs, in braces.

    `nested` puts back what azure-native flattens inside of it; `shows` reads inputs off a document, for an import.
    """
    place = {"resourceGroupName", name, *re.findall(r"{(\w+)}", provider)}

    def identity(clients: Clients, inputs: Inputs) -> str:
        group = f"/subscriptions/{clients('arm').subscription}/resourceGroups/{inputs['resourceGroupName']}"
        return f"{group}/providers/{provider.format(**inputs)}/{inputs[name]}" if provider else group

    def body(inputs: Inputs) -> Inputs:
        inner = {key: value for key, value in nested(inputs).items() if key not in {*TOP, *place}}
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

    def imported(clients: Clients, id: str) -> Inputs | None:
        found = clients("arm").get(id)
        if found is None:
            return None
        told = {"resourceGroupName": id.split("/")[4], name: found["name"]}
        return told | given({key: found.get(key) for key in TOP}) | shows(found)

    def update(clients: Clients, id: str, old: Inputs, new: Inputs) -> None:
        put(clients, id, {**old, **new})

    def delete(clients: Clients, id: str, _: Inputs) -> None:
        if clients("arm").get(id) is not None:
            clients("arm").finish(clients("arm").ask("DELETE", id))

    return Kind(
        create=create, read=read, delete=delete, update=update, autoname=name, required=required,
        replaces=(name, "resourceGroupName", "location", *replaces), computed=("name", *computed), shaped=shaped,
        imported=imported,
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


def imported_network(found: Inputs) -> Inputs:
    """With its subnets as azure-native flattens them."""
    rows = [{"name": row["name"]} | row["properties"] for row in found["properties"].get("subnets") or []]
    return {"addressSpace": found["properties"]["addressSpace"], "subnets": rows}


def account(inputs: Inputs) -> Inputs:
    """ARM has another name for one of them."""
    told = {name: value for name, value in inputs.items() if name != HTTPS[0]}
    return told | ({HTTPS[1]: inputs[HTTPS[0]]} if HTTPS[0] in inputs else {})


def imported_account(found: Inputs) -> Inputs:
    told = {name: value for name, value in found["properties"].items() if name not in ("provisioningState", HTTPS[1])}
    return told | {HTTPS[0]: found["properties"].get(HTTPS[1], False)}


def imported_container(found: Inputs) -> Inputs:
    return {"accountName": found["id"].split("/")[8], "publicAccess": found["properties"].get("publicAccess", "None")}


def looked_up(kind: str, *names: str) -> Callable[[Clients, Inputs], Inputs]:
    """A data source of one thing, which refuses where it is not there."""

    def ask(clients: Clients, asked: Inputs) -> Inputs:
        arm = clients("arm")
        group = f"/subscriptions/{arm.subscription}/resourceGroups/{asked['resourceGroupName']}"
        path = f"/providers/{kind.format(**asked)}/{asked[names[0]]}" if names else ""
        found = arm.ask("GET", f"{group}{path}").json()
        return {"id": found["id"], "name": found["name"], "type": found["type"], "location": found.get("location", "")}

    return ask


def client_config(clients: Clients, _: Inputs) -> Inputs:
    return {"subscriptionId": clients("arm").subscription, "clientId": "", "tenantId": "", "objectId": "developer"}


STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINERS = f"{STORAGE}/{{accountName}}/blobServices/default/containers"
KINDS: dict[str, Kind] = {
    "azure-native:resources:ResourceGroup": kind("", "resourceGroupName", required=()),
    "azure-native:network:VirtualNetwork": kind(
        "Microsoft.Network/virtualNetworks", "virtualNetworkName", nested=network, outputs=shown_network,
        computed=("subnets",), shows=imported_network,
    ),
    "azure-native:storage:StorageAccount": kind(
        STORAGE, "accountName", nested=account, shows=imported_account, required=("resourceGroupName", "sku", "kind")
    ),
    "azure-native:storage:BlobContainer": kind(
        CONTAINERS, "containerName", shows=imported_container, required=("resourceGroupName", "accountName")
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
INVOKES: dict[str, Callable[[Clients, Inputs], Inputs]] = {
    "azure-native:authorization:getClientConfig": client_config,
    "azure-native:resources:getResourceGroup": looked_up(""),
    "azure-native:storage:getStorageAccount": looked_up(STORAGE, "accountName"),
    "azure-native:storage:getBlobContainer": looked_up(CONTAINERS, "containerName"),
    "azure-native:network:getVirtualNetwork": looked_up("Microsoft.Network/virtualNetworks", "virtualNetworkName"),
    "azure-native:network:getNetworkSecurityGroup": looked_up(
        "Microsoft.Network/networkSecurityGroups", "networkSecurityGroupName"
    ),
}
