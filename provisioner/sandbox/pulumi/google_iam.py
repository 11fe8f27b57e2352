"""Google's service accounts and what a project grants them, as pulumi-gcp names and shapes them."""

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind


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


KINDS: dict[str, Kind] = {
    "gcp:serviceaccount/account:Account": Kind(
        create=create_account, read=read_account, delete=delete_account, computed=("email", "member", "uniqueId"),
        required=("accountId",),
    ),
    "gcp:projects/iAMMember:IAMMember": Kind(
        create=grant, read=granted, delete=revoke, computed=("etag",), required=("project", "role", "member")
    ),
}  # fmt: skip
