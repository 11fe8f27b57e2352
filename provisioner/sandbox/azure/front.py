"""The WSGI application of Azure's side: ARM's routes, asynchronous answers, schedules by the sandbox's clock."""

import itertools
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from provisioner.sandbox.azure.arm import Arm, Document, Refused, kind_of, shown, view
from provisioner.sandbox.clock import SandboxClock

LISTING = re.compile(r"(/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?)/providers/(microsoft\.[^/]+/[^/]+)", re.I)
ACTION = re.compile(r"(.+/virtualmachines/[^/]+)/(deallocate|start|poweroff|instanceview)", re.I)
PASSED_OVER = timedelta(minutes=31)
"""https://learn.microsoft.com/archive/blogs/jpvsblog/dtl-autoshutdown-time"""
OPERATION = re.compile(r".*/operations/(\d+)")
Answer = tuple[int, Any, dict[str, str]]


class Azure:
    """One subscription. It listens on loopback and refuses what a web page sends."""

    def __init__(self, clock: SandboxClock) -> None:
        self.arm, self.url = Arm(self._plan), ""
        self._clock, self._lock, self._numbers = clock, threading.RLock(), itertools.count(1)

    def counts(self) -> dict[str, int]:
        """How much there is, groups included."""
        return {"resources": len(self.arm.held)}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            with self._lock:
                status, document, more = self._answer(environ)
        except Refused as refusal:
            status, document, more = refusal.status, refusal.document(), {}
        content = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **more}
        start_response(f"{status} -", list(headers.items()))
        return [content]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        if "HTTP_ORIGIN" in environ or environ.get("HTTP_HOST") != self.url.removeprefix("http://"):
            raise Refused(403, "Forbidden", "The sandbox talks to its own clients only.")
        method, path = environ["REQUEST_METHOD"], unquote(environ["PATH_INFO"]).rstrip("/")
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        if "api-version" not in query:
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if OPERATION.fullmatch(path):
            return 200, {"status": "Succeeded"}, {}
        if acted := ACTION.fullmatch(path):
            return self._act(acted[1], acted[2].lower())
        if method == "GET" and (listed := LISTING.fullmatch(path)):
            return 200, {"value": [shown(one) for one in self.arm.under(listed[1], listed[2])]}, {}
        return self._resource(method, path, query, body)

    def _resource(self, method: str, path: str, query: dict[str, str], body: Document) -> Answer:
        match method:
            case "PUT":
                there = path.lower() in self.arm.held
                return 200 if there else 201, shown(self.arm.put(path, body)), self._later()
            case "PATCH":
                found = self.arm.get(path)
                found["tags"] = body.get("tags", found.get("tags"))
                return 200, shown(found), {}
            case "DELETE":
                if path.lower() not in self.arm.held:
                    kind_of(path)
                    return 204, None, {}
                self.arm.delete(path)
                return 202, None, self._later()
            case _:
                return 200, shown(self.arm.get(path), expand=query.get("$expand") == "instanceView"), {}

    def _act(self, id: str, verb: str) -> Answer:
        if verb == "instanceview":
            return 200, view(self.arm.get(id)), {}
        self.arm.act(id, verb)
        return 202, None, self._later()

    def _later(self) -> dict[str, str]:
        """What was asked for is under way; the operation says when it is done."""
        here = f"{self.url}/subscriptions/s/providers/Microsoft.Compute/locations/l/operations/{next(self._numbers)}"
        return {"Azure-AsyncOperation": f"{here}?api-version=2024-07-01", "Retry-After": "0"}

    def _plan(self, id: str, schedule: Document) -> None:
        """A machine's shutdown is daily; times are UTC's, or those of a zone that counts as UTC. One that is told of
        shortly before its time waits for the next day.
        """
        moment = next_time(schedule["properties"]["dailyRecurrence"]["time"], self._clock.now() + PASSED_OVER)
        self._clock.at(moment, lambda: self._due(id, schedule))

    def _due(self, id: str, schedule: Document) -> None:
        """Unless it was deleted, put anew or switched off meanwhile."""
        with self._lock:
            if self.arm.held.get(id.lower()) is not schedule:
                return
            target = schedule["properties"]["targetResourceId"]
            if schedule["properties"].get("status") == "Enabled" and target.lower() in self.arm.held:
                self.arm.act(target, "deallocate")
            self._plan(id, schedule)


def next_time(clock: str, now: datetime) -> datetime:
    """`1942` is the next 19:42."""
    found = now.astimezone(UTC).replace(hour=int(clock[:2]), minute=int(clock[2:]), second=0, microsecond=0)
    return found if found > now else found + timedelta(days=1)
