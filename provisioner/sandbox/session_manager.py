"""Session Manager's sessions, which moto lacks: who has opened one on which machine. No data goes through them."""

import json
import secrets
from typing import Any

from provisioner.sandbox.wire import AwsError, Call, Response, render, reply


class SessionManager:
    """Sessions by region and id."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], str] = {}

    def answer(self, call: Call) -> Response:
        asked: dict[str, Any] = json.loads(call.params.get("", "") or "{}")
        if call.operation == "DescribeSessions":
            return told({"Sessions": self.listed(call.region) if asked.get("State") == "Active" else []})
        if call.operation == "StartSession":
            name = f"tester-{secrets.token_hex(8)}0"
            self._open[call.region, name] = asked["Target"]
            return told({"SessionId": name, "TokenValue": "none", "StreamUrl": "wss://127.0.0.1/"})
        if self._open.pop((call.region, asked["SessionId"]), None) is None:
            return render(
                call, AwsError("DoesNotExistException", f"There is no session {asked['SessionId']}.", 400), {}
            )
        return told({"SessionId": asked["SessionId"]})

    def listed(self, region: str) -> list[dict[str, str]]:
        held = [(name, target) for (place, name), target in self._open.items() if place == region]
        return [{"SessionId": name, "Target": target, "Status": "Connected"} for name, target in held]


def told(document: dict[str, Any]) -> Response:
    return reply("application/x-amz-json-1.1", json.dumps(document))
