"""tpu.googleapis.com: nodes. https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.nodes"""

import itertools
import re
from math import prod

from provisioner.sandbox.gcp.wire import Document, Operations, Refused, Request, add, found

CHIPS = {
    **{f"v5litepod-{count}": count for count in (1, 4, 8, 16, 32, 64, 128, 256)},
    **{f"v5p-{cores}": cores // 2 for cores in (8, 16, 32, 64, 128, 256, 512)},
    **{f"v6e-{count}": count for count in (1, 4, 8, 16, 32, 64, 128, 256)},
}  # fmt: skip
RUNTIMES = {"v5litepod": "v2-alpha-tpuv5-lite", "v5p": "v2-alpha-tpuv5", "v6e": "v2-alpha-tpuv6e"}
ZONES = {
    "v5litepod": ("us-central1-a", "us-south1-a", "us-west1-c", "us-west4-a", "us-east5-b", "europe-west4-b"),
    "v5p": ("us-east5-a", "us-central1-a", "europe-west4-b"),
    "v6e": ("us-east5-a", "us-east5-b", "us-east1-d", "europe-west4-a", "asia-northeast1-b"),
}
FLAT = ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
GENERATIONS = {
    "V5LITE_POD": ("v5litepod", 1, FLAT), "V6E": ("v6e", 1, FLAT),
    "V5P": ("v5p", 2, ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8")),
}  # fmt: skip
"""How types of a generation are called, what their names count of each chip, and its topologies."""
NUMBERS = {9: "V5LITE_POD", 10: "V5P", 11: "V6E"}
"""An enumeration goes over the wire by its name or by its number."""
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
NODE = re.compile(r"projects/[^/]+/locations/([^/]+)/nodes/([^/]+)")
KIND = "type.googleapis.com/google.cloud.tpu.v2.Node"
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}


class Tpus:
    """`accounts` are the e-mail addresses of service accounts that exist, `subnets` the subnetworks."""

    def __init__(self, accounts: dict[str, Document], subnets: dict[str, Document]) -> None:
        self.nodes: dict[str, Document] = {}
        self._accounts, self._subnets = accounts, subnets
        self._operations, self._addresses = Operations(), itertools.count(2)

    def answer(self, request: Request) -> Document:
        match request.method, request.name.rsplit("/", 2)[-2:]:
            case "GET", ["operations", _]:
                return self._operations.get(request.name)
            case "POST", [_, "nodes"]:
                return self._create(request)
            case "GET", [_, "nodes"]:
                return self._list(request.name.removesuffix("/nodes"))
            case "GET", ["nodes", _]:
                return found(self.nodes, request.name)
            case "PATCH", ["nodes", _]:
                return self._update(request)
            case "DELETE", ["nodes", _]:
                return self.delete(request.name)
            case _:
                raise Refused("NOT_FOUND", f"no route {request.method} {request.name}")

    def _create(self, request: Request) -> Document:
        parent, node = request.name.removesuffix("/nodes"), request.body
        identity = request.query.get("nodeId") or request.query.get("node_id")
        if not identity:
            raise Refused("INVALID_ARGUMENT", "Required field 'nodeId' is missing.")
        kind = kind_of(node)
        refuse_wrong(node, kind, zone=parent.rsplit("/", 1)[-1])
        self._refuse_strangers(node)
        name = f"{parent}/nodes/{identity}"
        said = {"name": name, "acceleratorType": kind, "state": "READY", "health": "HEALTHY"}
        made = add(self.nodes, name, {**node, **said})
        made["networkEndpoints"] = [self._endpoint(node) for _ in range(hosts(kind))]
        return self._operations.begin(parent, "create", name, {"@type": KIND, **made})

    def _endpoint(self, node: Document) -> Document:
        """An external address only where it is asked for."""
        here = {"ipAddress": f"10.78.0.{next(self._addresses)}", "port": 8470}
        public = (node.get("networkConfig") or {}).get("enableExternalIps", False)
        return here | ({"accessConfig": {"externalIp": "203.0.113.7"}} if public else {})

    def _refuse_strangers(self, node: Document) -> None:
        account = (node.get("serviceAccount") or {}).get("email")
        if account and account not in self._accounts:
            raise Refused("INVALID_ARGUMENT", f"The service account {account} does not exist")
        subnet = (node.get("networkConfig") or {}).get("subnetwork")
        if subnet and not any(subnet.endswith(name) for name in self._subnets):
            raise Refused("INVALID_ARGUMENT", f"Cloud TPU received a bad request. Subnetwork {subnet} was not found")

    def _list(self, parent: str) -> Document:
        start = parent.removesuffix("-") if parent.endswith("/-") else f"{parent}/"
        return {"nodes": [node for name, node in sorted(self.nodes.items()) if name.startswith(start)]}

    def _update(self, request: Request) -> Document:
        """Labels, metadata, tags and description; nothing else changes in place."""
        node, fields = found(self.nodes, request.name), request.query.get("updateMask", "").split(",")
        for name in fields:
            if name not in ("labels", "metadata", "tags", "description"):
                raise Refused("INVALID_ARGUMENT", f"{BAD} '{name}' cannot be updated")
        wanted = {name: request.body.get(name) for name in fields}
        refuse_labels(wanted)
        node |= wanted
        return self._operations.begin(request.name.split("/nodes/")[0], "update", request.name, {"@type": KIND, **node})

    def delete(self, name: str) -> Document:
        found(self.nodes, name)
        del self.nodes[name]
        return self._operations.begin(name.split("/nodes/", maxsplit=1)[0], "delete", name, EMPTY)


BAD = "Cloud TPU received a bad request."


def kind_of(node: Document) -> str:
    """The type by its name, or by a generation and a topology."""
    config = node.get("acceleratorConfig")
    if not config:
        return node["acceleratorType"]
    if node.get("acceleratorType"):
        raise Refused("INVALID_ARGUMENT", f"{BAD} only one of accelerator_type and accelerator_config may be set")
    generation, topology = NUMBERS.get(config["type"], config["type"]), config["topology"]
    if generation not in GENERATIONS or topology not in GENERATIONS[generation][2]:
        raise Refused("INVALID_ARGUMENT", f"{BAD} the topology {topology} was not found for {generation}")
    prefix, counted, _ = GENERATIONS[generation]
    return f"{prefix}-{prod(int(side) for side in topology.split('x')) * counted}"


def refuse_wrong(node: Document, kind: str, *, zone: str) -> None:
    """In Google's words."""
    family = kind.rsplit("-", 1)[0]
    if kind not in CHIPS or zone not in ZONES[family]:
        raise Refused("INVALID_ARGUMENT", f"{BAD} the accelerator {kind} was not found in zone {zone}")
    if node.get("runtimeVersion") != RUNTIMES[family]:
        raise Refused("INVALID_ARGUMENT", f"{BAD} Runtime version '{node.get('runtimeVersion')}' not found for {kind}")
    ways = [name for name in ("preemptible", "spot", "reserved") if (node.get("schedulingConfig") or {}).get(name)]
    if len(ways) > 1:
        raise Refused("INVALID_ARGUMENT", f"{BAD} only one of {', '.join(ways)} may be set")
    refuse_labels(node)


def refuse_labels(node: Document) -> None:
    for key, value in (node.get("labels") or {}).items():
        if not LABEL.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            raise Refused("INVALID_ARGUMENT", f"Label '{key}: {value}' is not valid")


def hosts(kind: str) -> int:
    """A host has up to eight chips of v5e and v6e where it is the only one, and four in a pod."""
    chips = CHIPS[kind]
    return 1 if chips <= 4 or (chips == 8 and not kind.startswith("v5p")) else chips // 4
