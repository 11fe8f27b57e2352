"""The WSGI application of Google's side: /SERVICE/VERSION/NAME, as the endpoint overrides of its clients lead there."""

import json
import threading
from typing import Any
from urllib.parse import urlsplit

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.gcp.accounts import Accounts
from provisioner.sandbox.gcp.jobs import Jobs
from provisioner.sandbox.gcp.networks import Networks
from provisioner.sandbox.gcp.storage import Storage
from provisioner.sandbox.gcp.tpus import Tpus
from provisioner.sandbox.gcp.wire import Body, Document, Refused, Request, read

VERBS = {"DELETE": "delete", "GET": "get", "POST": "create", "PATCH": "update"}


class Google:
    """One project. It listens on loopback and refuses what a web page sends."""

    def __init__(self, clock: SandboxClock) -> None:
        self.networks, self.accounts = Networks(), Accounts()
        self.storage = Storage(self.accounts.by_email)
        self.tpus = Tpus(self.accounts.by_email, self.networks.subnets)
        self.jobs = Jobs(clock, self._called)
        self.url = ""
        self._lock = threading.RLock()
        self._services = {
            "tpu": self.tpus.answer, "compute": self.networks.answer, "iam": self.accounts.answer,
            "cloudresourcemanager": self.accounts.answer_policy, "cloudscheduler": self.jobs.answer,
            "storage": self.storage.answer,
        }  # fmt: skip

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            status, document = "200 OK", self._answer(environ)
        except Refused as refusal:
            status, document = f"{refusal.code} {refusal.status}", refusal.document()
        content = json.dumps(document).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    def _answer(self, environ: dict[str, Any]) -> Document:
        if "HTTP_ORIGIN" in environ or environ.get("HTTP_HOST") != self.url.removeprefix("http://"):
            raise Refused("PERMISSION_DENIED", "The sandbox talks to its own clients only.")
        request = read(environ)
        if request.service not in self._services:
            raise Refused("NOT_FOUND", f"the sandbox has no {request.service}")
        with self._lock:
            return self._services[request.service](request)

    def counts(self) -> dict[str, int]:
        """How much of each kind there is."""
        return {
            "nodes": len(self.tpus.nodes), "networks": len(self.networks.networks),
            "subnetworks": len(self.networks.subnets), "firewalls": len(self.networks.firewalls),
            "accounts": len(self.accounts.by_email),
            "roles": self.accounts.count_roles(), "jobs": len(self.jobs.jobs),
            "buckets": len(self.storage.buckets),
        }  # fmt: skip

    def _called(self, method: str, address: str, caller: str) -> None:
        """A scheduled call to Google's own host; whether it may is the project's policy."""
        parts = urlsplit(address)
        service, name = parts.netloc.split(".")[0], parts.path.split("/", 2)[-1]
        if service not in self._services:
            raise Refused("NOT_FOUND", f"the sandbox has no {parts.netloc}")
        permission = f"{service}.{name.split('/')[-2:][0]}.{VERBS.get(method, method)}"
        if not self.accounts.may(caller, permission):
            raise Refused("PERMISSION_DENIED", f"Permission '{permission}' denied for '{caller}'")
        with self._lock:
            self._services[service](Request(method, service, name, "", {}, Body()))
