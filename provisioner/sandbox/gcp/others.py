"""What stands around a TPU: networks, service accounts, the project's policy, scheduled calls."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.gcp.wire import Document, Refused, Request, add, found
from provisioner.sandbox.recurrence import next_after


class Networks:
    """compute.googleapis.com: networks and subnetworks; every operation is done at once."""

    def __init__(self) -> None:
        self.networks: dict[str, Document] = {}
        self.subnets: dict[str, Document] = {}

    def answer(self, request: Request) -> Document:
        held = self.subnets if "/subnetworks" in request.name else self.networks
        if request.method == "POST":
            return self._create(held, request)
        if request.method == "DELETE":
            return self._delete(held, request.name)
        return found(held, request.name)

    def _create(self, held: dict[str, Document], request: Request) -> Document:
        name = f"{request.name}/{request.body['name']}"
        network = request.body.get("network", "")
        if held is self.subnets and not any(network.endswith(one) for one in self.networks):
            raise Refused("INVALID_ARGUMENT", f"Invalid value for field 'resource.network': '{network}'.")
        link = f"https://www.googleapis.com/compute/v1/{name}"
        add(held, name, request.body | {"selfLink": link, "id": str(abs(hash(name)))})
        return done(link)

    def _delete(self, held: dict[str, Document], name: str) -> Document:
        found(held, name)
        users = [one for one, subnet in self.subnets.items() if subnet.get("network", "").endswith(name)]
        if held is self.networks and users:
            raise Refused("FAILED_PRECONDITION", f"The network resource '{name}' is already being used by '{users[0]}'")
        del held[name]
        return done(name)


def done(target: str) -> Document:
    return {"kind": "compute#operation", "status": "DONE", "targetLink": target, "name": "operation"}


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


class Jobs:
    """cloudscheduler.googleapis.com: HTTP calls at a time, with the token of a service account."""

    def __init__(self, clock: SandboxClock, call: Callable[[str, str, str], None]) -> None:
        """`call` takes the method, the address and the caller's e-mail."""
        self.jobs: dict[str, Document] = {}
        self.failed: list[str] = []
        self._clock, self._call = clock, call

    def answer(self, request: Request) -> Document:
        if request.method == "POST" and request.name.endswith("/jobs"):
            job = add(self.jobs, request.body["name"], {**request.body, "state": "ENABLED"})
            self._plan(job)
            return job
        job = found(self.jobs, request.name)
        if request.method == "DELETE":
            del self.jobs[request.name]
            return {}
        return job

    def _plan(self, job: Document) -> None:
        try:
            moment = next_after(job["schedule"], job.get("timeZone", "UTC"), self._clock.now())
        except ValueError as wrong:
            del self.jobs[job["name"]]
            raise Refused("INVALID_ARGUMENT", f"Schedule '{job['schedule']}' is not valid: {wrong}") from wrong
        if moment:
            self._clock.at(moment, lambda: self._due(job))

    def _due(self, job: Document) -> None:
        """Unless it was deleted meanwhile. It comes back a year later, as cron does."""
        if self.jobs.get(job["name"]) is not job:
            return
        target: dict[str, Any] = job["httpTarget"]
        try:
            self._call(target.get("httpMethod", "POST"), target["uri"], target.get("oauthToken", {}).get(
                "serviceAccountEmail", ""))  # fmt: skip
        except Refused as refusal:
            self.failed.append(f"{job['name']}: {json.dumps(refusal.document())}")
        self._plan(job)
