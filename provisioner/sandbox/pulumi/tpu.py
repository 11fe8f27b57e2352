"""TPU nodes, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

NODE = ("acceleratorType", "runtimeVersion", "networkConfig", "schedulingConfig", "labels", "metadata", "tags",
        "description", "cidrBlock", "acceleratorConfig")  # fmt: skip
IN_PLACE = ("labels", "metadata", "tags", "description")


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


def read_node(clients: Clients, name: str, state: Inputs) -> Inputs | None:
    found = clients("tpu").get(name)
    if found is None:
        return None
    endpoints = [{"ipAddress": one["ipAddress"], "port": one["port"],
                  "accessConfigs": [one["accessConfig"]] if "accessConfig" in one else []}
                 for one in found["networkEndpoints"]]  # fmt: skip
    labels, said = found.get("labels") or {}, state.get("labels") or {}
    ours = {key: value for key, value in labels.items() if key in said}  # others' labels are none of the program's
    plain = {one: found[one] for one in IN_PLACE if one in found}
    return plain | {"state": found["state"], "health": found["health"], "networkEndpoints": endpoints, "labels": ours,
                    "effectiveLabels": labels, "pulumiLabels": ours}  # fmt: skip


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


KINDS: dict[str, Kind] = {
    "gcp:tpu/v2Vm:V2Vm": Kind(
        create=create_node, read=read_node, delete=delete_node, update=update_node, autoname="name",
        computed=("state", "networkEndpoints"), required=("runtimeVersion",), refusals=refusals,
        replaces=("name", "zone", "acceleratorType", "acceleratorConfig", "runtimeVersion", "networkConfig",
                  "schedulingConfig", "serviceAccount", "cidrBlock"), drifts=IN_PLACE,
    ),
}  # fmt: skip
