"""iam.googleapis.com and cloudresourcemanager.googleapis.com: who there is, and what the project grants them."""

import hashlib
import re

from provisioner.sandbox.gcp.wire import Body, Document, Refused, Request, add, found

ACCOUNT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")

ROLE = re.compile(r"[a-zA-Z0-9_.]{3,64}")
PREDEFINED = {"roles/owner": "", "roles/editor": "tpu.", "roles/tpu.admin": "tpu."}
"""What the permissions of a role of Google's begin with, as far as a scheduled call needs one."""


class Accounts:
    """Service accounts, custom roles, and what the project grants to whom."""

    def __init__(self) -> None:
        self.by_email: dict[str, Document] = {}
        self.roles: dict[str, Document] = {}
        self.policy: Document = {"bindings": []}

    def answer(self, request: Request) -> Document:
        if "roles" in request.name.split("/"):
            return self._answer_role(request)
        if request.method == "POST":
            return self._create(request.name.split("/")[1], request.body)
        if request.name.endswith("/serviceAccounts"):
            return {"accounts": list(self.by_email.values())}
        email = request.name.rsplit("/", 1)[-1]
        account = found(self.by_email, email)
        if request.method == "DELETE":
            del self.by_email[email]
            return {}
        if request.method == "PATCH":
            account |= {one: request.body["serviceAccount"][one] for one in request.body["updateMask"].split(",")}
        return account

    def _create(self, project: str, body: Body) -> Document:
        identity = body["accountId"]
        if not ACCOUNT.fullmatch(identity):
            pattern = "[a-z]([-a-z0-9]{4,28}[a-z0-9])"
            raise Refused("INVALID_ARGUMENT", f'The account ID "{identity}" does not match the pattern {pattern}.')
        email = f"{identity}@{project}.iam.gserviceaccount.com"
        number = str(int(hashlib.sha256(email.encode()).hexdigest()[:15], 16))
        said = {"name": f"projects/{project}/serviceAccounts/{email}", "email": email, "uniqueId": number}
        return add(self.by_email, email, {**body.get("serviceAccount", {}), **said})

    def _answer_role(self, request: Request) -> Document:
        """A deleted one stays for weeks, deleted, and so does its id: nobody is granted anything by it."""
        if request.method == "POST":
            return self._create_role(f"{request.name}/{request.body['roleId']}", request.body)
        role = found(self.roles, request.name)
        if request.method == "DELETE":
            role["deleted"] = True
        if request.method == "PATCH":
            role |= {**request.body, "name": role["name"]}
        return role

    def _create_role(self, name: str, body: Body) -> Document:
        identity = body["roleId"]
        if not ROLE.fullmatch(identity):
            raise Refused("INVALID_ARGUMENT", f"The role_id {identity} does not match [a-zA-Z0-9_.]{{3,64}}.")
        if self.roles.get(name, {}).get("deleted"):
            what = (
                f"You can't create a role with role_id ({identity}) where there is an existing role with that role_id"
            )
            raise Refused("FAILED_PRECONDITION", f"{what} in a deleted state.")
        return add(self.roles, name, {**body["role"], "name": name})

    def answer_policy(self, request: Request) -> Document:
        """The whole policy is read and written, as Google has it."""
        if request.verb == "setIamPolicy":
            for binding in request.body["policy"]["bindings"]:
                self._refuse_strangers(binding)
            self.policy = request.body["policy"]
        return self.policy

    def _refuse_strangers(self, binding: Document) -> None:
        role = binding["role"]
        if not role.startswith("roles/") and not self._live(role):
            raise Refused("INVALID_ARGUMENT", f"Role ({role}) does not exist in the resource's hierarchy.")
        for member in binding["members"]:
            kind, _, email = member.partition(":")
            if kind == "serviceAccount" and email not in self.by_email:
                raise Refused("INVALID_ARGUMENT", f"Service account {email} does not exist.")

    def may(self, email: str, permission: str) -> bool:
        member = f"serviceAccount:{email}"
        granted = [one["role"] for one in self.policy["bindings"] if member in one["members"]]
        return any(self._has(role, permission) for role in granted)

    def _has(self, role: str, permission: str) -> bool:
        if role in PREDEFINED:
            return permission.startswith(PREDEFINED[role])
        return self._live(role) and permission in self.roles[role].get("includedPermissions", [])

    def _live(self, role: str) -> bool:
        return role in self.roles and not self.roles[role].get("deleted")

    def count_roles(self) -> int:
        return sum(self._live(role) for role in self.roles)
