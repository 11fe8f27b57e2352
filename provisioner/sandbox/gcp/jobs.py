"""cloudscheduler.googleapis.com: HTTP calls at a time, with the token of a service account."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.gcp.wire import Body, Document, Refused, Request, add, found
from provisioner.sandbox.recurrence import next_after

PAUSES = {"minBackoffDuration": "5s", "maxBackoffDuration": "3600s"}


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
        return self._update(job, request) if request.method == "PATCH" else job

    def _create(self, request: Request) -> Document:
        job = Body(request.body, state="ENABLED")
        moment = self._next(job)
        add(self.jobs, job["name"], job)
        self._clock.at(moment, lambda: self._due(job))
        return job

    def _update(self, old: Document, request: Request) -> Document:
        """Another document in its place, so that what was planned for the old one is void."""
        fields = request.query.get("updateMask", "").split(",")
        job = Body(old | {name: request.body.get(name) for name in fields})
        moment = self._next(job)
        self.jobs[job["name"]] = job
        self._clock.at(moment, lambda: self._due(job))
        return job

    def _next(self, job: Document) -> datetime:
        """When it is due; refuses what no job can be."""
        _ = job["httpTarget"]["uri"]
        refuse_retries(job.get("retryConfig") or {})
        try:
            moment = next_after(job["schedule"], job.get("timeZone", "UTC"), self._clock.now())
        except ValueError as wrong:
            raise Refused("INVALID_ARGUMENT", f"Schedule '{job['schedule']}' is not valid: {wrong}") from wrong
        if moment is None:
            raise Refused("INVALID_ARGUMENT", f"Schedule '{job['schedule']}' is not valid: it is no cron line")
        return moment

    def _due(self, job: Document, tried: int = 0) -> None:
        """Unless it was deleted meanwhile. What fails is tried again, and all comes back a year later, as cron does."""
        if self.jobs.get(job["name"]) is not job:
            return
        target: dict[str, Any] = job["httpTarget"]
        job["lastAttemptTime"] = f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}"
        try:
            self._call(target.get("httpMethod", "POST"), target["uri"], target.get("oauthToken", {}).get(
                "serviceAccountEmail", ""))  # fmt: skip
        except Refused as refusal:
            if tried < (job.get("retryConfig") or {}).get("retryCount", 0):
                self._clock.at(self._clock.now() + pause(job["retryConfig"], tried), lambda: self._due(job, tried + 1))
                return
            self.failed.append(f"{job['name']}: {json.dumps(refusal.document())}")
        self._clock.at(self._next(job), lambda: self._due(job))


def pause(config: Document, tried: int) -> timedelta:
    """Doubled so many times, then the same.

    https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#retryconfig
    """
    shortest, longest = (seconds(config.get(name) or usual) for name, usual in PAUSES.items())
    return timedelta(seconds=min(shortest * 2 ** min(tried, config.get("maxDoublings", 5)), longest))


def seconds(text: str) -> float:
    """3.5s, as protobuf writes a duration."""
    try:
        return float(text.removesuffix("s"))
    except ValueError:
        raise Refused("INVALID_ARGUMENT", f"Illegal duration format; '{text}' is no number of seconds") from None


def refuse_retries(config: Document) -> None:
    if not 0 <= config.get("retryCount", 0) <= 5:
        raise Refused("INVALID_ARGUMENT", "RetryConfig.retry_count must be between 0 and 5.")
    pause(config, 0)
