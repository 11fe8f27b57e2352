"""Resources by their ids, as ARM keeps them; machines with power, disks and network interfaces of their own.

https://learn.microsoft.com/rest/api/compute/virtual-machines
"""

import itertools
import re
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
VM = "microsoft.compute/virtualmachines"
SCHEDULE = "microsoft.devtestlab/schedules"
SIZES = {
    "Standard_ND96isr_H100_v5", "Standard_ND96isr_H200_v5", "Standard_ND96asr_v4", "Standard_ND96amsr_A100_v4",
    "Standard_ND96isr_MI300X_v5", "Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4",
    "Standard_NC4as_T4_v3", "Standard_D2s_v5",
}  # fmt: skip
ID = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/([^/]+)(?:/providers/([^/]+/[^/]+)/[^/]+(/blobservices/default/containers/[^/]+)?)?",
    re.IGNORECASE,
)
ACCOUNT, CONTAINER = "microsoft.storage/storageaccounts", "microsoft.storage/storageaccounts/blobservices/containers"
ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
SHUTDOWN = re.compile(r"shutdown-computevm-(.+)")
POWER = {"deallocate": "deallocated", "start": "running", "poweroff": "stopped"}


class Refused(Exception):
    """An answer that is no success, in ARM's shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def document(self) -> Document:
        return {"error": {"code": self.code, "message": self.message}}


class Arm:
    """`planned` hears of each schedule that was put: (its id, its document)."""

    def __init__(self, planned: Callable[[str, Document], None]) -> None:
        self.held: dict[str, Document] = {}
        """By the id in small letters, without what begins with an underscore when it is shown."""
        self._planned, self._numbers = planned, itertools.count(1)

    def put(self, id: str, body: Document) -> Document:
        """Makes or replaces. Everything but a group wants its group."""
        kind, old = kind_of(id), self.held.get(id.lower())
        if kind and group_of(id) not in self.held:
            raise Refused(
                404, "ResourceGroupNotFound", f"Resource group '{group_of(id).rsplit('/', 1)[-1]}' not found."
            )
        self._refuse_wrong(kind, id, body, old)
        properties = {"provisioningState": "Succeeded"} | (body.get("properties") or {})
        made = {**body, "id": id, "name": id.rsplit("/", 1)[-1], "type": kind, "properties": properties}
        self.held[id.lower()] = made
        if kind == VM:
            self._attach(made, old)
        if kind == SCHEDULE:
            self._planned(id, made)
        return made

    def _refuse_wrong(self, kind: str, id: str, body: Document, old: Document | None) -> None:
        if old and old.get("location") != body.get("location", old.get("location")):
            raise Refused(409, "InvalidResourceLocation", f"The resource '{id}' already exists in another location.")
        if kind == ACCOUNT and not ACCOUNT_NAME.fullmatch(id.rsplit("/", 1)[-1]):
            raise Refused(400, "AccountNameInvalid", f"{id.rsplit('/', 1)[-1]} is not a valid storage account name.")
        if kind == CONTAINER:
            self.get(id.lower().split("/blobservices/")[0])
        if kind == VM:
            refuse_machine(body)
            for one in cards(body):
                self.get(one["id"])
        if kind == SCHEDULE:
            self._refuse_schedule(id, body)

    def _refuse_schedule(self, id: str, body: Document) -> None:
        """Azure takes a schedule for a machine by this name and task alone."""
        properties = body.get("properties") or {}
        named = SHUTDOWN.fullmatch(id.rsplit("/", 1)[-1])
        target = properties.get("targetResourceId", "")
        if properties.get("taskType") != "ComputeVmShutdownTask" or not named or not target.endswith(f"/{named[1]}"):
            raise Refused(400, "InvalidScheduleName", "A machine's schedule is called shutdown-computevm-<its name>.")
        self.get(target)

    def _attach(self, machine: Document, old: Document | None) -> None:
        """A disk of its own at birth; power from birth, and as it was afterwards."""
        machine["_power"] = old["_power"] if old else "running"
        machine["properties"]["vmId"] = old["properties"]["vmId"] if old else f"vm-{next(self._numbers)}"
        if old:
            return
        disk = machine["properties"]["storageProfile"].get("osDisk") or {}
        name = disk.get("name") or f"{machine['name']}_OsDisk"
        self._bound("Microsoft.Compute/disks", name, machine, goes=disk.get("deleteOption") == "Delete")
        for one in (machine["properties"].get("networkProfile") or {}).get("networkInterfaceConfigurations") or []:
            goes = one["properties"].get("deleteOption") == "Delete"
            self._bound("Microsoft.Network/networkInterfaces", one["name"], machine, goes=goes)

    def _bound(self, kind: str, name: str, machine: Document, *, goes: bool) -> None:
        """What comes with a machine, and goes with it where it says so."""
        at = f"{machine['id'].split('/providers/')[0]}/providers/{kind}/{name}"
        self.held[at.lower()] = {
            "id": at, "name": name, "type": kind.lower(), "location": machine["location"],
            "_owner": machine["id"].lower(), "_goes": goes, "properties": {"provisioningState": "Succeeded"},
        }  # fmt: skip

    def get(self, id: str) -> Document:
        if id.lower() not in self.held:
            raise Refused(
                404, "ResourceNotFound", f"The Resource '{id.rsplit('/providers/', maxsplit=1)[-1]}' was not found."
            )
        return self.held[id.lower()]

    def under(self, start: str, kind: str) -> list[Document]:
        found = [one for id, one in sorted(self.held.items()) if id.startswith(f"{start.lower()}/")]
        return [one for one in found if one["type"] == kind.lower()]

    def act(self, id: str, verb: str) -> None:
        """deallocate, start or powerOff."""
        self.get(id)["_power"] = POWER[verb.lower()]

    def delete(self, id: str) -> None:
        """A group, or an account, takes everything in it along; a machine what is bound to it."""
        gone = self.get(id)
        if gone.get("_owner") in self.held:
            raise Refused(409, "OperationNotAllowed", f"{gone['name']} is attached to a machine.")
        if gone["type"] == VM:
            self._detach(gone)
        if gone["type"] in ("", ACCOUNT):
            for inner in [one for one in self.held if one.startswith(f"{id.lower()}/")]:
                del self.held[inner]
        del self.held[id.lower()]

    def _detach(self, machine: Document) -> None:
        mine = [id for id, one in self.held.items() if one.get("_owner") == machine["id"].lower()]
        going = [id for id in mine if self.held[id]["_goes"]]
        going += [
            one["id"].lower() for one in cards(machine) if (one.get("properties") or {}).get("deleteOption") == "Delete"
        ]
        for id in going:
            self.held.pop(id, None)


def kind_of(id: str) -> str:
    """`microsoft.compute/virtualmachines`; empty for a resource group."""
    found = ID.fullmatch(id)
    if not found:
        raise Refused(404, "InvalidResourceType", f"the sandbox has no '{id}'.")
    return CONTAINER if found[3] else (found[2] or "").lower()


def group_of(id: str) -> str:
    return id.lower().split("/providers/")[0]


def cards(machine: Document) -> list[Document]:
    return (machine["properties"].get("networkProfile") or {}).get("networkInterfaces") or []


def refuse_machine(body: Document) -> None:
    """In Azure's words."""
    properties = body.get("properties") or {}
    size = (properties.get("hardwareProfile") or {}).get("vmSize")
    if size not in SIZES:
        raise Refused(400, "InvalidParameter", f"The value {size} provided for the VM size is not valid.")
    spot = properties.get("priority") == "Spot"
    if not spot and (properties.get("evictionPolicy") or properties.get("billingProfile")):
        raise Refused(400, "InvalidParameter", "Eviction policy can be set only on Azure Spot Virtual Machines.")
    linux = (properties.get("osProfile") or {}).get("linuxConfiguration") or {}
    if linux.get("disablePasswordAuthentication") and not (linux.get("ssh") or {}).get("publicKeys"):
        raise Refused(400, "InvalidParameter", "Authentication using SSH keys needs a public key.")


def shown(document: Document, *, expand: bool = False) -> Document:
    """Without what is the sandbox's own; with the machine's power where it is asked for."""
    plain = {name: value for name, value in document.items() if not name.startswith("_")}
    if expand and document["type"] == VM:
        plain["properties"] = plain["properties"] | {"instanceView": view(document)}
    return plain


def view(machine: Document) -> Document:
    return {"statuses": [{"code": f"PowerState/{machine['_power']}", "level": "Info"}]}
