"""A loopback server that answers for an estate, from tables: EC2, CloudWatch, SSM, SNS, STS, IAM and S3 on the wire.

python -m tests.estate.server MACHINES LATENCY [TYPE [half or busy [CALLS A SECOND]]]: prints its address.
GET /asked tells the calls so far.
"""

import json
import os
import signal
import sys
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.estate import cloudwatch, ec2
from tests.estate.ec2 import Refusal
from tests.estate.tables import ACCOUNT, BUCKET, REGION, Estate

Answer = tuple[int, str, bytes]
CALLER = (
    f"<Arn>arn:aws:iam::{ACCOUNT}:user/tester</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>"  # nothing secret
)
INSIDE = {"GetCallerIdentity": CALLER, "ListRoles": "<Roles/>", "ListInstanceProfiles": "<InstanceProfiles/>",
          "Publish": "<MessageId>1</MessageId>"}  # fmt: skip


class Server(ThreadingHTTPServer):
    """Serves one estate; `latency` is added to every call, in seconds."""

    daemon_threads = True

    def __init__(self, estate: Estate, latency: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.estate, self.latency = estate, latency

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed hangs up in the middle of a word."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def handle_any(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        content = self.rfile.read(length)
        if len(content) < length:
            return None
        if self.path == "/asked":
            return self.send((200, "application/json", json.dumps(self.server.estate.asked).encode()))
        estate, region = self.server.estate, self.region()
        estate.under_way.add(region)
        estate.together = max(estate.together, len(estate.under_way))
        time.sleep(self.server.latency)
        fatal = estate.fatal(self.operation(content))
        if fatal and not estate.kill_after:
            os.kill(estate.victim, signal.SIGKILL)
            return None
        answer = self.answered(content)
        estate.under_way.discard(region)
        if fatal:
            os.kill(estate.victim, signal.SIGKILL)
            return None
        return self.send(answer)

    def operation(self, content: bytes) -> str:
        target = self.headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        form = "form" in self.headers.get("content-type", "")
        return target or (dict(parse_qsl(content.decode()))["Action"] if form else self.command)

    def region(self) -> str:
        """The one that the call was signed for."""
        return (self.headers.get("authorization", "").split("/") + [REGION] * 3)[2]

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - as the library calls them

    def answered(self, content: bytes) -> Answer:
        target = self.headers.get("x-amz-target", "")
        if target:
            return self.json_service(target.rsplit(".", 1)[1], content)
        if "form" in self.headers.get("content-type", ""):
            return self.query_service(dict(parse_qsl(content.decode())))
        if self.path.startswith("/schedules"):
            self.server.estate.asked["ListSchedules"] += 1
            return 200, "application/json", b'{"Schedules": []}'
        return self.bucket(content)

    def json_service(self, operation: str, content: bytes) -> Answer:
        try:
            self.counted(operation, content)
            found = cloudwatch.answer(self.server.estate, operation, json.loads(content))
        except Refusal as refusal:
            found = {"__type": refusal.code, "message": refusal.message}
            return refusal.status, "application/x-amz-json-1.0", json.dumps(found).encode()
        return 200, "application/x-amz-json-1.0", json.dumps(found).encode()

    def query_service(self, params: dict[str, str]) -> Answer:
        operation = params["Action"]
        try:
            self.counted(operation, json.dumps(params).encode())
            if operation == "Publish":
                self.server.estate.messages.append(params)
            if operation == "GetPolicy":
                raise Refusal("NoSuchEntity", "there is none", 404)
            if operation in INSIDE:
                inside = f"<{operation}Result>{INSIDE[operation]}</{operation}Result>"
            else:
                inside = ec2.answer(self.server.estate, operation, params, self.region())
        except Refusal as refusal:
            return refusal.status, "text/xml", ec2.error(refusal, operation).encode()
        return 200, "text/xml", ec2.body(operation, inside).encode()

    def counted(self, operation: str, content: bytes) -> None:
        """Raises Refusal where the region is off, or it is one call too many for this second."""
        estate = self.server.estate
        estate.asked[operation] += 1
        estate.calls[self.region(), operation, content] += 1
        if self.region() in estate.off:
            raise Refusal("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
        if operation in estate.denied:
            raise Refusal("AccessDenied", f"{operation} is not allowed", 403)
        if estate.throttled():
            estate.asked["slowed down"] += 1
            raise Refusal("RequestLimitExceeded", "Request limit exceeded.", 503)

    def bucket(self, content: bytes) -> Answer:
        estate, split = self.server.estate, urlsplit(self.path)
        key, params = unquote(split.path).removeprefix(f"/{BUCKET}").strip("/"), dict(parse_qsl(split.query))
        estate.asked[f"{self.command} {'list' if 'list-type' in params else 'object'}"] += 1
        if estate.storeless:
            return 404, "application/xml", MISSING
        if "tagging" in split.query:
            return 404, "application/xml", UNMARKED
        if self.command == "PUT":
            estate.objects[key] = content
        if self.command == "DELETE":
            estate.objects.pop(key, None)
        if self.command in ("PUT", "DELETE") or (not key and "list-type" not in params):
            return 200, "application/xml", b""
        if not key:
            return 200, "application/xml", listing(estate.objects, params).encode()
        held = estate.objects.get(key)
        return (200, "binary/octet-stream", held) if held is not None else (404, "application/xml", MISSING)

    def send(self, answer: Answer) -> None:
        status, kind, content = answer
        self.send_response_only(status)
        for name, value in (
            ("date", formatdate(usegmt=True)), ("content-type", kind), ("content-length", str(len(content))),
            ("etag", '"1"'), ("last-modified", formatdate(usegmt=True)), ("x-amz-bucket-region", REGION),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()


UNMARKED = b"<Error><Code>NoSuchTagSet</Code><Message>none</Message></Error>"
MISSING = b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"


def listing(objects: dict[str, bytes], params: dict[str, str]) -> str:
    """A page of a thousand, with the folders below the delimiter."""
    prefix, delimiter, after = params.get("prefix", ""), params.get("delimiter"), params.get("continuation-token", "")
    keys = sorted(key for key in objects if key.startswith(prefix) and key > after)
    page, rest = keys[:1000], keys[1000:]
    deep = [key for key in page if delimiter and delimiter in key[len(prefix) :]]
    folders = sorted({prefix + key[len(prefix) :].split(delimiter or "/")[0] + "/" for key in deep})
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    rows = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(objects[key])}</Size><LastModified>{at}</LastModified>"
        f"<ETag>&quot;1&quot;</ETag><StorageClass>STANDARD</StorageClass></Contents>"
        for key in page
        if key not in set(deep)
    )
    common = "".join(f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>" for folder in folders)
    more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if rest else ""
    return (
        f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{more}{rows}{common}</ListBucketResult>"
    )


def main(machines: str, latency: str, instance_type: str = "g5.xlarge", does: str = "half", rate: str = "0") -> None:
    estate = Estate(machines=int(machines), instance_type=instance_type, busy=does == "busy", rate=float(rate))
    server = Server(estate, float(latency))
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
