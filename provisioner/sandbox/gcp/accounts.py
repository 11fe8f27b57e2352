"""iam.googleapis.com and cloudresourcemanager.googleapis.com: who there is, and what the project grants them."""

import hashlib
import re

from provisioner.sandbox.gcp.wire import Body, Document, Refused, Request, add, found

ACCOUNT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")


class Accounts:
    """Service accounts, and the roles that the project grants."""

    def __init__(self) -> None:
        self.by_email: dict[str, Document] = {}
        self.policy: Document = {"bindings": []}

    def answer(self, request: Request) -> Document:
        if request.method == "POST":
            return self._create(request.name.split("/")[1], request.body)
        email = request.name.rsplit("/", 1)[-1]
        account = found(self.by_email, email)
        if request.method == "DELETE":
            del self.by_email[email]
            return {}
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

    def answer_policy(self, request: Request) -> Document:
        """The whole policy is read and written, as Google has it."""
        if request.verb == "setIamPolicy":
            for binding in request.body["policy"]["bindings"]:
                for member in binding["members"]:
                    self._refuse_stranger(member)
            self.policy = request.body["policy"]
        return self.policy

    def _refuse_stranger(self, member: str) -> None:
        kind, _, email = member.partition(":")
        if kind == "serviceAccount" and email not in self.by_email:
            raise Refused("INVALID_ARGUMENT", f"Service account {email} does not exist.")

    def may(self, email: str, roles: tuple[str, ...]) -> bool:
        member = f"serviceAccount:{email}"
        return any(one["role"] in roles and member in one["members"] for one in self.policy["bindings"])
