"""tpu.googleapis.com: nodes. https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.nodes"""

import itertools
import re

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
        refuse_wrong(node, zone=parent.rsplit("/", 1)[-1])
        self._refuse_strangers(node)
        name = f"{parent}/nodes/{identity}"
        made = add(self.nodes, name, {**node, "name": name, "state": "READY", "health": "HEALTHY"})
        made["networkEndpoints"] = [self._endpoint(node) for _ in range(hosts(node["acceleratorType"]))]
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
        node = found(self.nodes, request.name)
        for name in request.query.get("updateMask", "").split(","):
            if name not in ("labels", "metadata", "tags", "description"):
                raise Refused("INVALID_ARGUMENT", f"Cloud TPU received a bad request. '{name}' cannot be updated")
            node[name] = request.body.get(name)
        refuse_labels(node)
        return self._operations.begin(request.name.split("/nodes/")[0], "update", request.name, {"@type": KIND, **node})

    def delete(self, name: str) -> Document:
        found(self.nodes, name)
        del self.nodes[name]
        return self._operations.begin(name.split("/nodes/", maxsplit=1)[0], "delete", name, EMPTY)


def refuse_wrong(node: Document, *, zone: str) -> None:
    """In Google's words."""
    kind, bad = node.get("acceleratorType", ""), "Cloud TPU received a bad request."
    family = kind.rsplit("-", 1)[0]
    if kind not in CHIPS or zone not in ZONES[family]:
        raise Refused("INVALID_ARGUMENT", f"{bad} the accelerator {kind} was not found in zone {zone}")
    if node.get("runtimeVersion") != RUNTIMES[family]:
        raise Refused("INVALID_ARGUMENT", f"{bad} Runtime version '{node.get('runtimeVersion')}' not found for {kind}")
    ways = [name for name in ("preemptible", "spot", "reserved") if (node.get("schedulingConfig") or {}).get(name)]
    if len(ways) > 1:
        raise Refused("INVALID_ARGUMENT", f"{bad} only one of {', '.join(ways)} may be set")
    refuse_labels(node)


def refuse_labels(node: Document) -> None:
    for key, value in (node.get("labels") or {}).items():
        if not LABEL.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            raise Refused("INVALID_ARGUMENT", f"Label '{key}: {value}' is not valid")


def hosts(kind: str) -> int:
    """A host has up to eight chips of v5e and v6e where it is the only one, and four in a pod."""
    chips = CHIPS[kind]
    return 1 if chips <= 4 or (chips == 8 and not kind.startswith("v5p")) else chips // 4
