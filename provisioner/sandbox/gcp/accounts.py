"""iam.googleapis.com and cloudresourcemanager.googleapis.com: who there is, and what the project grants them."""

import hashlib

from provisioner.sandbox.gcp.wire import Document, Refused, Request, add, found


class Accounts:
    """iam.googleapis.com: service accounts, and the roles that the project grants."""

    def __init__(self) -> None:
        self.by_email: dict[str, Document] = {}
        self.policy: Document = {"bindings": []}

    def answer(self, request: Request) -> Document:
        project = request.name.split("/")[1]
        if request.method == "POST":
            email = f"{request.body['accountId']}@{project}.iam.gserviceaccount.com"
            name = f"projects/{project}/serviceAccounts/{email}"
            number = str(int(hashlib.sha256(email.encode()).hexdigest()[:15], 16))
            return add(self.by_email, email, {"name": name, "email": email, "uniqueId": number, **request.body})
        email = request.name.rsplit("/", 1)[-1]
        account = found(self.by_email, email)
        if request.method == "DELETE":
            del self.by_email[email]
            return {}
        return account

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
