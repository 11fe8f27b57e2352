"""The WSGI application: guard, metadata, control door, and moto behind refusals, idempotency and locks."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.wsgi import get_input_stream

from provisioner.sandbox.access import Access
from provisioner.sandbox.cloud import NoSuchInstance, SandboxCloud
from provisioner.sandbox.control import Control, http_status
from provisioner.sandbox.extras import answer_extra
from provisioner.sandbox.network import way_to
from provisioner.sandbox.wire import AwsError, Call, Response, read_call, render

IDEMPOTENT = {"RunInstances", "CreateFleet", "CreateLaunchTemplate", "CreateVpcEndpoint", "CreateNatGateway",
              "CreateEgressOnlyInternetGateway"}  # fmt: skip
STRIPES = 64


class Front:
    """One sandbox."""

    def __init__(self, root: Path) -> None:
        self.cloud, self.access = SandboxCloud(root), Access()
        self.control = Control(self.cloud, self.access)
        self.moto = DomainDispatcherApplication(create_backend_app)
        self._replies: dict[tuple[str, str, str], tuple[dict[str, str], Response]] = {}
        self._object_locks = [threading.Lock() for _ in range(STRIPES)]

    @property
    def key(self) -> str:
        return self.cloud.key

    @property
    def url(self) -> str:
        return self.cloud.url

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ.get("PATH_INFO", "")
        body = environ["wsgi.input"] = get_input_stream(environ)  # the raw stream never ends on a kept-alive connection
        if "HTTP_ORIGIN" in environ or environ.get("HTTP_HOST") != self.url.removeprefix("http://"):
            status, headers, content = forbidden()  # a web page, or DNS rebinding
        elif path.startswith("/_imds/"):
            status, headers, content = self.imds(environ, path)
        elif path.startswith("/_sandbox/"):
            status, headers, content = self.controlled(environ, path.removeprefix("/_sandbox/"))
        else:
            status, headers, content = self.aws(environ)
        while body.read(1 << 20):  # else the rest is taken for the next request
            pass
        start_response(status, headers)
        return [content]

    def aws(self, environ: dict[str, Any]) -> Response:
        call = read_call(environ)
        self.control.counts[call.name] += 1
        if error := self.refusal(call, environ):
            return render(call, error, environ)
        with self.locks(call):
            reply = answer_extra(self.cloud, call) or self.once(call, environ)
            if call.changes_ec2:
                self.cloud.reconcile()
        if machine := self.cloud.metadata.holders.get(call.access_key):
            self.control.heard(machine)
        return reply

    def refusal(self, call: Call, environ: dict[str, Any]) -> AwsError | None:
        if fault := self.control.next_fault(call):
            return fault
        if call.access_key == self.key:
            if "accelctl" in environ.get("HTTP_USER_AGENT", ""):
                self.access.note(call)
            return None
        machine = self.cloud.metadata.holders.get(call.access_key)
        if machine is not None and (cut_off := self.unreachable(call, machine, environ)):
            return cut_off
        return self.access.refusal(call, environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))

    def unreachable(self, call: Call, machine: Any, environ: dict[str, Any]) -> AwsError | None:
        """A machine's packets find a way out, or they do not; what goes to the store is put on the ledger."""
        region = self.region_of(call)
        way = way_to(machine, call.service, region)
        if not way:
            return AwsError("NetworkUnreachable", f"No way from {machine.id} to {call.service} in {region}.", 503)
        if call.service == "s3":
            size = int(environ.get("CONTENT_LENGTH") or 0)
            put = environ["REQUEST_METHOD"] in ("PUT", "POST")
            self.cloud.ledger.moved(machine, way, size, region=region, put=put)
        return None

    def region_of(self, call: Call) -> str:
        """Where the service is: for the store, where the bucket is."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        if call.service != "s3":
            return call.region
        bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(call.path.strip("/").split("/")[0])
        return bucket.region_name if bucket else call.region

    @contextmanager
    def locks(self, call: Call) -> Iterator[None]:
        """One EC2 call at a time, so that capacity and tokens hold, and one call at a time per object of the store.

        Stock moto loses compare-and-swap updates, and a GET during a PUT of the same key fails with HTTP 500.
        """
        with ExitStack() as held:
            if call.service in ("ec2", "autoscaling", "cloudformation"):
                held.enter_context(self.cloud.lock)
            elif call.service == "s3":
                held.enter_context(self._object_locks[hash(call.path) % STRIPES])
            yield

    def once(self, call: Call, environ: dict[str, Any]) -> Response:
        """ClientToken: the same token and parameters get the first answer again."""
        token = call.params.get("ClientToken")
        if call.operation not in IDEMPOTENT or not token:
            return self.ask_moto(call, environ)
        key, params = (call.region, call.operation, token), {k: v for k, v in call.params.items() if k != "ClientToken"}
        if key in self._replies:
            first, reply = self._replies[key]
            message = "The client token and the request parameters do not match those of an earlier request."
            return reply if first == params else render(call, AwsError("IdempotentParameterMismatch", message), environ)
        reply = self.ask_moto(call, environ)
        if reply[0].startswith("200"):
            self._replies[key] = params, reply
        return reply

    def ask_moto(self, call: Call, environ: dict[str, Any]) -> Response:
        caught: list[Any] = []
        content = b"".join(self.moto(environ, lambda status, headers, exc=None: caught.extend((status, headers))))
        status, headers = caught
        if status.startswith("400") and call.service == "ec2":
            code = content.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()
            status = f"{http_status(code)} {code}"
        return status, headers, content

    def imds(self, environ: dict[str, Any], path: str) -> Response:
        _, _, instance_id, rest = path.split("/", 3)
        try:
            instance = self.cloud.find(instance_id)
        except NoSuchInstance:
            return forbidden()
        status, kind, text = self.cloud.metadata.answer(instance, environ["REQUEST_METHOD"], rest, environ)
        headers = [("Content-Type", kind), ("Content-Length", str(len(text.encode())))]
        if rest == "latest/api/token":
            lifetime = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", "")
            headers.append(("X-aws-ec2-metadata-token-ttl-seconds", lifetime))
        return f"{status} -", headers, text.encode()

    def controlled(self, environ: dict[str, Any], verb: str) -> Response:
        if not secrets.compare_digest(environ.get("HTTP_X_SANDBOX_KEY", ""), self.key):
            return forbidden()
        with self.cloud.lock:
            status, document = self.control.answer(verb, dict(parse_qsl(environ.get("QUERY_STRING", ""))))
        content = json.dumps(document).encode()
        return f"{status} -", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))], content


def forbidden() -> Response:
    return "403 Forbidden", [("Content-Length", "0")], b""
