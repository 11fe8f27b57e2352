# pyright: basic
# moto's server and the WSGI protocol are untyped.
"""One loopback server for a machine: S3, SSM and Secrets Manager by moto, the metadata service below /_imds, faults."""

import io
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

INSTANCE = "i-0123456789abcdef0"
ROLE = {"AccessKeyId": "AKIATEST", "SecretAccessKey": "secret", "Token": "first-token"}


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """The tests print what they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the machine asked of the store."""

    method: str
    path: str
    query: str


@dataclass(slots=True)
class Metadata:
    """What the metadata service answers, by path below /latest/meta-data/."""

    values: dict[str, str] = field(default_factory=dict)

    def give_notice(self, ends_in: timedelta) -> datetime:
        ends_at = datetime.now(UTC) + ends_in
        told = {"action": "terminate", "time": ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.values["spot/instance-action"] = json.dumps(told)
        return ends_at

    def renew_credentials(self) -> None:
        name = "iam/security-credentials/job-role"
        self.values[name] = self.values[name].replace(ROLE["Token"], "renewed")

    def answer(self, path: str, token: str) -> tuple[str, str]:
        if path == "api/token":
            return "200 OK", "imds-token"
        if token != "imds-token":
            return "401 Unauthorized", ""
        value = self.values.get(path.removeprefix("meta-data/"))
        return ("404 Not Found", "") if value is None else ("200 OK", value)


def plain_metadata() -> Metadata:
    ends = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Metadata(
        values={
            "instance-id": INSTANCE, "placement/region": "us-east-1", "iam/security-credentials/": "job-role",
            "iam/security-credentials/job-role": json.dumps({**ROLE, "Expiration": ends}),
        }
    )  # fmt: skip


def refusing_absence(start_response: Any, status: str, headers: Any, problem: Any = None) -> Any:
    """A role that may list only below a prefix is not told what is missing."""
    return start_response("403 Forbidden" if status.startswith("404") else status, headers, problem)


class Server:
    """Listens on a free port of loopback from its creation to `close`."""

    def __init__(self) -> None:
        self.metadata = plain_metadata()
        self.requests: list[Request] = []
        self.down = threading.Event()
        """While set, everything but the metadata service answers 503."""
        self.refused_service = ""
        """A target of a JSON service, such as `AmazonSSM`, that the role may not."""
        self.expired_service = ""
        """A target of a JSON service that finds the role's first credentials expired."""
        self.forbidden = ""
        """A part of a path that the role may neither read nor write."""
        self.torn_metadata = ""
        """A path below meta-data/ whose answers break off half-way."""
        self.cut_at = 0
        """Bytes after which the answer with a file of a checkpoint breaks off; 0 is never."""
        self.part_delay = 0.0
        """Seconds that a part of a large file takes."""
        self.parts_at_once = 0
        """How many were under way at the same time, at most."""
        self._parts, self._counting = 0, threading.Lock()
        self.heartbeat_delay = 0.0
        """Seconds that a report on its way to the store takes, unless it is that of the end."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def renew(self) -> None:
        """Forgets the test before."""
        self.metadata = plain_metadata()
        self.requests.clear()
        self.down.clear()
        self.refused_service = self.expired_service = self.forbidden = self.torn_metadata = ""
        self.heartbeat_delay = self.part_delay = 0.0
        self.cut_at = self.parts_at_once = 0

    def _delay(self, environ: dict[str, Any]) -> None:
        report = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(report)
        if "ended" not in json.loads(report):
            time.sleep(self.heartbeat_delay)

    def _refuse(self, environ: dict[str, Any], start_response: Any, code: str) -> Any:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = json.dumps({"__type": code, "Message": "not authorized"}).encode()
        start_response("400 Bad Request", [("Content-Length", str(len(answer)))])
        return [answer]

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith("/_imds/latest/"):
            token = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN", "")
            status, text = self.metadata.answer(path.removeprefix("/_imds/latest/"), token)
            torn = bool(self.torn_metadata) and path.endswith(self.torn_metadata)
            length = ("Content-Length", str(len(text) + 50 * torn))
            start_response("200 OK" if torn else status, [("Content-Type", "text/plain"), length])
            return [text.encode()]
        if environ.get("HTTP_X_AMZ_SECURITY_TOKEN") == ROLE["Token"]:
            asked = Request(method=environ["REQUEST_METHOD"], path=path, query=environ["QUERY_STRING"])
            self.requests.append(asked)
            if self.down.is_set():
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("503 Slow Down", [("Content-Length", "0")])
                return [b""]
            if self.forbidden and self.forbidden in path:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("403 Forbidden", [("Content-Length", "0")])
                return [b""]
            if self.refused_service and self.refused_service in environ.get("HTTP_X_AMZ_TARGET", ""):
                return self._refuse(environ, start_response, "AccessDeniedException")
            if self.expired_service and self.expired_service in environ.get("HTTP_X_AMZ_TARGET", ""):
                self.metadata.renew_credentials()
                return self._refuse(environ, start_response, "ExpiredTokenException")
            if self.heartbeat_delay and asked.method == "PUT" and path.endswith("/nodes/0.json"):
                self._delay(environ)
            if self.part_delay and "partNumber" in asked.query:
                self._part()
            if self.cut_at and asked.method == "GET" and "/blobs/" in path:
                return [b"".join(self._moto(environ, start_response))[: self.cut_at]]
            return self._moto(environ, partial(refusing_absence, start_response))
        return self._moto(environ, start_response)

    def _part(self) -> None:
        with self._counting:
            self._parts += 1
            self.parts_at_once = max(self.parts_at_once, self._parts)
        time.sleep(self.part_delay)
        with self._counting:
            self._parts -= 1
