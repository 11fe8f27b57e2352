"""Google's service accounts and what a project grants them, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.wire import given

SAID = ("displayName", "description")


def create_account(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    iam = clients("iam")
    body = {"accountId": inputs["accountId"], "serviceAccount": {one: inputs[one] for one in SAID if one in inputs}}
    found = iam.call("POST", f"projects/{iam.project}/serviceAccounts", body)
    return found["name"], read_account(clients, found["name"], inputs) or {}


def read_account(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = clients("iam").get(name)
    if found is None:
        return None
    known = {"email": found["email"], "member": f"serviceAccount:{found['email']}", "uniqueId": found["uniqueId"]}
    return known | {one: found[one] for one in SAID if one in found}


def imported_account(clients: Clients, name: str) -> Inputs | None:
    found = clients("iam").get(name)
    if found is None:
        return None
    return {"accountId": found["email"].split("@")[0]} | {one: found[one] for one in SAID if one in found}


def accounts(clients: Clients, asked: Inputs) -> Inputs:
    project = asked.get("project") or clients("iam").project
    found = clients("iam").call("GET", f"projects/{project}/serviceAccounts")["accounts"]
    rows = [{"name": one["name"], "email": one["email"], "accountId": one["email"].split("@")[0]} for one in found]
    return {"id": project, "accounts": [one for one in rows if one["accountId"].startswith(asked.get("prefix", ""))]}


def update_account(clients: Clients, name: str, _: Inputs, new: Inputs) -> None:
    said = {one: new.get(one, "") for one in SAID}
    clients("iam").call("PATCH", name, {"serviceAccount": said, "updateMask": ",".join(SAID)})


def delete_account(clients: Clients, name: str, _: Inputs) -> None:
    clients("iam").delete(name)


def create_role(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    iam = clients("iam")
    body = {"roleId": inputs["roleId"], "role": {"stage": "GA"} | role_of(inputs)}
    found = iam.call("POST", f"projects/{inputs.get('project') or iam.project}/roles", body)
    return found["name"], read_role(clients, found["name"], inputs) or {}


def role_of(inputs: Inputs) -> Inputs:
    said = {"includedPermissions": inputs["permissions"], "title": inputs["title"]}
    return given(said | {"description": inputs.get("description"), "stage": inputs.get("stage")})


def read_role(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    """A deleted one is still there for weeks: it is gone all the same."""
    found = clients("iam").get(name)
    if found is None or found.get("deleted"):
        return None
    return {"name": name, "deleted": False, "title": found["title"], "permissions": found["includedPermissions"]}


def update_role(clients: Clients, name: str, _: Inputs, new: Inputs) -> None:
    clients("iam").call("PATCH", name, role_of(new))


def delete_role(clients: Clients, name: str, state: Inputs) -> None:
    if read_role(clients, name, state) is not None:
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


KINDS: dict[str, Kind] = {
    "gcp:serviceaccount/account:Account": Kind(
        create=create_account, read=read_account, delete=delete_account, update=update_account,
        computed=("email", "member", "uniqueId"), required=("accountId",), replaces=("accountId", "project"),
        drifts=SAID, imported=imported_account,
    ),
    "gcp:projects/iAMMember:IAMMember": Kind(
        create=grant, read=granted, delete=revoke, computed=("etag",), required=("project", "role", "member")
    ),
    "gcp:projects/iAMCustomRole:IAMCustomRole": Kind(
        create=create_role, read=read_role, delete=delete_role, update=update_role, computed=("name", "deleted"),
        required=("roleId", "title", "permissions"), replaces=("roleId", "project"),
        drifts=("title", "permissions"),
    ),
}  # fmt: skip
FUNCTIONS = {"gcp:serviceaccount/getS:getS": accounts}
