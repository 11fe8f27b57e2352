"""Google's APIs as the stand-in provider calls them."""

import time
from dataclasses import dataclass
from typing import Any

import requests

from provisioner.sandbox.pulumi.kinds import Inputs

WITHIN, PAUSE = 60.0, 0.1
"""Seconds for an operation."""


@dataclass
class Service:
    """One API: documents in and out; a refusal is requests' HTTPError with Google's own words in it."""

    session: requests.Session
    root: str
    project: str
    config: Inputs

    def call(self, method: str, name: str, body: Any = None, **query: str) -> Any:
        answer = self.session.request(method, f"{self.root}/{name}", json=body, params=query, timeout=WITHIN)
        if not answer.ok:
            raise requests.HTTPError(answer.json()["error"]["message"], response=answer)
        return answer.json()

    def get(self, name: str) -> Any:
        """None where there is no such thing."""
        try:
            return self.call("GET", name)
        except requests.HTTPError as refusal:
            if refusal.response.status_code != 404:
                raise
            return None

    def delete(self, name: str) -> Any:
        """Gone already is success."""
        return self.call("DELETE", name) if self.get(name) is not None else None

    def finish(self, operation: Inputs) -> Inputs:
        """What a long-running operation gives in the end."""
        end = time.monotonic() + WITHIN
        while not operation.get("done"):
            if time.monotonic() > end:
                raise requests.Timeout(f"{operation['name']} does not end")
            time.sleep(PAUSE)
            operation = self.call("GET", operation["name"])
        return operation.get("response", {})

    def region(self) -> str:
        return self.config.get("region") or (self.config.get("zone") or "us-central1-a").rsplit("-", 1)[0]
