"""Google's buckets and who may use them, as pulumi-gcp names and shapes them."""

from typing import Any
from urllib.parse import quote

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

CONDITIONS = {"age": "age", "matchesPrefixes": "matchesPrefix"}


def body(inputs: Inputs) -> Inputs:
    """What Google nests, and what it calls by another name."""
    rules = [
        {"action": rule["action"], "condition": {CONDITIONS[key]: value for key, value in rule["condition"].items()}}
        for rule in inputs.get("lifecycleRules") or []
    ]
    access = given({
        "uniformBucketLevelAccess": {"enabled": inputs.get("uniformBucketLevelAccess", False)},
        "publicAccessPrevention": inputs.get("publicAccessPrevention"),
    })  # fmt: skip
    return given({
        "location": inputs["location"], "labels": inputs.get("labels"), "iamConfiguration": access,
        "lifecycle": {"rule": rules} if rules else None,
    })  # fmt: skip


def create(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    storage = clients("storage")
    storage.call("POST", "b", {"name": inputs["name"]} | body(inputs), project=storage.project)
    return inputs["name"], read(clients, inputs["name"], inputs) or {}


def read(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("storage").get(f"b/{name}")
    return {"url": f"gs://{name}", "labels": found.get("labels", {})} if found else None


def imported(clients: Clients, name: str) -> Inputs | None:
    found = clients("storage").get(f"b/{name}")
    if found is None:
        return None
    access, ours = found.get("iamConfiguration", {}), {theirs: mine for mine, theirs in CONDITIONS.items()}
    rules = [
        {"action": rule["action"], "condition": {ours[key]: value for key, value in rule["condition"].items()}}
        for rule in found.get("lifecycle", {}).get("rule", [])
    ]
    return {"forceDestroy": False} | given({
        "name": name, "location": found["location"], "labels": found.get("labels"), "lifecycleRules": rules,
        "uniformBucketLevelAccess": access.get("uniformBucketLevelAccess", {}).get("enabled"),
        "publicAccessPrevention": access.get("publicAccessPrevention"),
    })  # fmt: skip


def update(clients: Clients, name: str, _: Inputs, new: Inputs) -> None:
    clients("storage").call("PATCH", f"b/{name}", body(new))


def delete(clients: Clients, name: str, state: Inputs) -> None:
    storage = clients("storage")
    if storage.get(f"b/{name}") is None:
        return
    for one in storage.call("GET", f"b/{name}/o")["items"] if state.get("forceDestroy") else ():
        storage.call("DELETE", f"b/{name}/o/{quote(one['name'], safe='')}")
    storage.call("DELETE", f"b/{name}")


def members(clients: Clients, inputs: Inputs) -> tuple[list[Any], set[str]]:
    """The bindings of other roles, and who has this one."""
    held = clients("storage").call("GET", f"b/{inputs['bucket']}/iam")["bindings"]
    mine = {name for one in held if one["role"] == inputs["role"] for name in one["members"]}
    return [one for one in held if one["role"] != inputs["role"]], mine


def write(clients: Clients, inputs: Inputs, others: list[Any], mine: set[str]) -> None:
    bindings = [*others, *([{"role": inputs["role"], "members": sorted(mine)}] if mine else [])]
    clients("storage").call("PUT", f"b/{inputs['bucket']}/iam", {"bindings": bindings})


def grant(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    others, mine = members(clients, inputs)
    write(clients, inputs, others, mine | {inputs["member"]})
    return f"b/{inputs['bucket']}/{inputs['role']}/{inputs['member']}", {"etag": ""}


def granted(clients: Clients, _: str, state: Inputs) -> Inputs | None:
    there = clients("storage").get(f"b/{state['bucket']}")
    return {} if there and state["member"] in members(clients, state)[1] else None


def revoke(clients: Clients, id: str, state: Inputs) -> None:
    if granted(clients, id, state) is not None:
        others, mine = members(clients, state)
        write(clients, state, others, mine - {state["member"]})


def buckets(clients: Clients, asked: Inputs) -> Inputs:
    storage = clients("storage")
    found = storage.call("GET", "b", project=storage.project, prefix=asked.get("prefix", ""))["items"]
    return {"id": "buckets", "buckets": [{"name": one["name"], "location": one["location"]} for one in found]}


KINDS: dict[str, Kind] = {
    "gcp:storage/bucket:Bucket": Kind(
        create=create, read=read, delete=delete, update=update, replaces=("name", "location"), autoname="name",
        required=("location",), computed=("url",), drifts=("labels",), imported=imported,
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": Kind(
        create=grant, read=granted, delete=revoke, computed=("etag",), required=("bucket", "role", "member")
    ),
}  # fmt: skip
FUNCTIONS = {"gcp:storage/getBuckets:getBuckets": buckets}
