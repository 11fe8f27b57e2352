"""cloudscheduler.googleapis.com: HTTP calls at a time, with the token of a service account."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.gcp.wire import Body, Document, Refused, Request, add, found
from provisioner.sandbox.recurrence import next_after


class Jobs:
    """cloudscheduler.googleapis.com: HTTP calls at a time, with the token of a service account."""

    def __init__(self, clock: SandboxClock, call: Callable[[str, str, str], None]) -> None:
        """`call` takes the method, the address and the caller's e-mail."""
        self.jobs: dict[str, Document] = {}
        self.failed: list[str] = []
        self._clock, self._call = clock, call

    def answer(self, request: Request) -> Document:
        if request.method == "POST" and request.name.endswith("/jobs"):
            return self._create(request)
        job = found(self.jobs, request.name)
        if request.method == "DELETE":
            del self.jobs[request.name]
            return {}
        return job

    def _create(self, request: Request) -> Document:
        job = Body(request.body, state="ENABLED")
        moment = self._next(job)
        add(self.jobs, job["name"], job)
        self._clock.at(moment, lambda: self._due(job))
        return job

    def _next(self, job: Document) -> datetime:
        """When it is due; refuses what no job can be."""
        _ = job["httpTarget"]["uri"]
        try:
            moment = next_after(job["schedule"], job.get("timeZone", "UTC"), self._clock.now())
        except ValueError as wrong:
            raise Refused("INVALID_ARGUMENT", f"Schedule '{job['schedule']}' is not valid: {wrong}") from wrong
        if moment is None:
            raise Refused("INVALID_ARGUMENT", f"Schedule '{job['schedule']}' is not valid: it is no cron line")
        return moment

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
        self._clock.at(self._next(job), lambda: self._due(job))
