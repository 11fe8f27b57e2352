"""A loopback proxy before the sandbox that misbehaves at the n-th request: kills its client, or answers wrongly."""

import http.client
import os
import select
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "expect"}

GIVEN_UP_AFTER = 120.0


class Fault(StrEnum):
    """What happens at the chosen request."""

    NONE = "none"
    KILL_BEFORE = "kill-before"
    """The client is killed; the request never reaches the cloud."""
    KILL_AFTER = "kill-after"
    """The request takes effect; the client is killed before it hears the answer."""
    ERROR_500 = "500"
    ERROR_503 = "503"
    THROTTLED = "throttled"
    LOST_ANSWER = "lost-answer"
    """The request takes effect; the connection breaks before the answer."""
    NO_ANSWER = "no-answer"
    """The request takes effect; nothing is said until the client gives up."""
    TRUNCATED = "truncated"
    """The request takes effect; half of the answer arrives."""


@dataclass
class Plan:
    """Which request is hit, and how: the `at`-th of all, or of those named `only`. `names` remembers what was asked."""

    fault: Fault = Fault.NONE
    at: int = 0
    only: str = ""
    times: int = 1
    victim: int = 0
    seen: int = 0
    hit: int = 0
    names: list[str] = field(default_factory=list[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, name: str) -> Fault:
        with self.lock:
            self.names.append(name)
            self.seen += not self.only or self.only in name
            if self.only and self.only not in name:
                return Fault.NONE
            if self.at and self.at <= self.seen < self.at + self.times:
                self.hit += 1
                return self.fault
            return Fault.NONE

    def spare(self) -> None:
        """The request that was to be hit does not count."""
        with self.lock:
            self.seen -= 1
            self.hit -= 1

    def kill(self) -> None:
        if self.victim:
            os.kill(self.victim, signal.SIGKILL)


class Handler(BaseHTTPRequestHandler):
    """Forwards everything, byte for byte, but the one request."""

    protocol_version = "HTTP/1.1"
    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride] - only ours starts it

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.plan.next(self.named(body))
        if fault is Fault.KILL_BEFORE:
            self.server.plan.kill()
            self.close_connection = True
            return
        if fault in (Fault.ERROR_500, Fault.ERROR_503, Fault.THROTTLED):
            self.refuse(fault)
            return
        status, headers, content = self.forward(body)
        if fault is not Fault.NONE and status >= 300:  # it had no effect: the next one like it is meant
            self.server.plan.spare()
            fault = Fault.NONE
        if fault is Fault.KILL_AFTER:
            self.server.plan.kill()
        if fault is Fault.NO_ANSWER:
            select.select([self.connection], [], [], GIVEN_UP_AFTER)
        if fault in (Fault.KILL_AFTER, Fault.LOST_ANSWER, Fault.NO_ANSWER):
            self.close_connection = True
            return
        self.answer(status, headers, content, truncated=fault is Fault.TRUNCATED)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815 - http.server's names

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        return True

    def named(self, body: bytes) -> str:
        action = body.split(b"Action=")[1].split(b"&")[0].decode() if b"Action=" in body else ""
        return action or f"{self.command} {urlsplit(self.path).path}"

    def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        connection.request(self.command, self.path, body or None, headers | {"Host": self.server.upstream})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.getheaders(), content

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, truncated: bool) -> None:
        self.send_response_only(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        length = lengths[0] if self.command == "HEAD" and lengths else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if truncated else content)
        if truncated:
            self.close_connection = True

    def refuse(self, fault: Fault) -> None:
        code, status = {
            Fault.ERROR_500: ("InternalError", 500),
            Fault.ERROR_503: ("ServiceUnavailable", 503),
            Fault.THROTTLED: ("RequestLimitExceeded", 503),
        }[fault]
        error = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
        wrapped = f"<?xml version='1.0'?><Response><Errors>{error}</Errors><RequestID>p</RequestID></Response>"
        content = (error if self.path.startswith("/accelctl-") else wrapped).encode()
        self.answer(status, [("Content-Type", "text/xml")], content, truncated=False)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """One proxy on loopback."""

    daemon_threads = True

    def __init__(self, upstream: str, plan: Plan) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream).netloc
        self.plan = plan

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is killed hangs up in the middle: that is what this is for."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType] - it is passed on

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def proxy(upstream: str, plan: Plan) -> Generator[str]:
    """Its address, for as long as the block runs."""
    server = Server(upstream, plan)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
