"""The job store as seen from the machine: S3 over http.client, a connection per thread, hashes on everything."""

import contextlib
import errno
import hashlib
import http.client
import json
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

from .aws import EMPTY, PATIENCE, TRIES, WORTH_ANOTHER_TRY, Unreachable, bucket_url, connect, pause, sign
from .pieces import BLOCK, Changed, Incoming, Outgoing, together

PART = 16 * 1024 * 1024
LANES = 16
"""Parts of large files that are under way at once, over all files."""


STALE = (
    b"ExpiredToken", b"InvalidToken", b"InvalidAccessKeyId", b"TokenRefreshRequired", b"UnrecognizedClient",
    b"InvalidClientTokenId",
)  # fmt: skip
"""Codes of credentials that were good before, of S3 and of other services."""


class Missing(Exception):
    """No such object."""


class Denied(Exception):
    """The role may not."""


class Exists(Exception):
    """The object was to be created, and is there."""


class Store:
    """One bucket. Counts what it moves: `sent`, `received` bytes and `requests` that write."""

    def __init__(self, imds, bucket, region):
        self._imds, self._bucket, self._region = imds, bucket, region
        self._local, self._lock, self._lanes = threading.local(), threading.Lock(), ThreadPoolExecutor(LANES)
        self.sent = self.received = self.requests = 0

    def get(self, key):
        """The content. Raises Missing, Denied, Unreachable."""
        with self._absence_seen(key):
            return self._send("GET", key)[1]

    def download(self, key, path):
        """Brings an object into a file, in parts. Raises Missing, Denied, Unreachable."""
        with self._absence_seen(key), open(path, "wb") as out:
            first = Incoming(out.fileno(), 0, PART)
            self._send("GET", key, into=first)
            rest = [Incoming(out.fileno(), start, start + PART) for start in range(first.at, first.total, PART)]
            with together([self._lanes.submit(self._send, "GET", key, into=part) for part in rest]) as under_way:
                for one in under_way:
                    one.result()

    @contextlib.contextmanager
    def _absence_seen(self, key):
        """S3 refuses what is not there, as if it might not be read, to a role that may list only below a prefix."""
        try:
            yield
        except Denied:
            if key not in self.list(key):
                raise Missing(key)
            raise

    def put(self, key, content, create=False):
        """Overwrites; with `create` raises Exists where the key is taken."""
        headers = {"if-none-match": "*"} if create else {}
        self._send("PUT", key, content, headers=headers)

    def delete(self, key):
        self._send("DELETE", key)

    def list(self, prefix):
        """Every key below the prefix, every page."""
        token, keys = "", []
        while True:
            query = {"list-type": "2", "prefix": prefix}
            if token:
                query["continuation-token"] = token
            root = parsed(self._send("GET", "", query=query)[1])
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            keys += [item.findtext(space + "Key") for item in root.iter(space + "Contents")]
            token = root.findtext(space + "NextContinuationToken") or ""
            if not token:
                return keys

    def upload(self, key, path, content):
        """Sends a file that was hashed before. Raises Changed, leaving nothing, where it is another by now."""
        with open(path, "rb") as file:
            parts = [Outgoing(file.fileno(), *piece) for piece in content.pieces]
            if len(parts) > 1:
                self._upload_parts(key, parts)
            else:
                self._send("PUT", key, parts[0], digest=parts[0].sha256)

    def _upload_parts(self, key, parts):
        root = parsed(self._send("POST", key, b"", query={"uploads": ""})[1])
        upload = next(item.text for item in root.iter() if item.tag.endswith("UploadId"))
        try:
            tags = self._send_parts(key, parts, upload)
        except BaseException:
            with contextlib.suppress(Denied, Missing, Unreachable):  # the bucket's lifecycle ends what stays
                self._send("DELETE", key, query={"uploadId": upload})
            raise
        told = "".join(
            "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (number, tag)
            for number, tag in enumerate(tags, 1)
        )
        body = ("<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % told).encode()
        self._send("POST", key, body, query={"uploadId": upload})

    def _send_parts(self, key, parts, upload):
        """The tags of the parts. None of them is sent whole unless it is what was hashed."""
        sending = [
            self._lanes.submit(self._send_part, key, {"partNumber": str(number), "uploadId": upload}, part)
            for number, part in enumerate(parts, 1)
        ]
        with together(sending) as under_way:
            return [one.result() for one in under_way]

    def _send_part(self, key, query, part):
        return self._send("PUT", key, part, query=query, digest=part.sha256)[0]["etag"]

    def _send(self, method, key, body=b"", headers=None, query=None, into=None, digest=""):
        """One request with bounded tries: (headers, content). What goes `into` a file goes on after a break."""
        url = bucket_url(self._bucket, self._region, key)
        if query:
            url += "?" + urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote)
        body_hash = digest or (hashlib.sha256(body).hexdigest() if body else EMPTY)

        def once():
            asked = dict(headers or {}, **(into.wanted() if into else {}))
            try:
                signed = sign(method, url, asked, body_hash, (self._region, "s3"), self._imds.credentials())
                return self._once(method, url, body, signed, into)
            except BROKEN + (Changed,) as problem:  # it may have sent a part of a request
                self._local.connection = None
                if into is None or not into.whole or full(problem):
                    raise
                return {}, b""  # it broke after the last byte

        return insisted(once, "%s %s" % (method, key or self._bucket))

    def _once(self, method, url, body, headers, into):
        connection = self._connection(url)
        path = url.split("/", 3)
        if isinstance(body, Outgoing):
            body.rewind()
            headers["content-length"] = str(len(body))
        connection.request(method, "/" + path[3], body or (b"" if method in ("PUT", "POST") else None), headers)
        answer = connection.getresponse()
        content = b"" if into and answer.status in (200, 206) else answer.read()
        self._count(method, len(body), len(content))
        if into and answer.status in (200, 206):
            self._take(answer, into)
        if into and answer.status == 416 and not into.at:  # an empty object has no first byte
            into.total = 0
            return {}, b""
        named = {name.lower(): value for name, value in answer.getheaders()}
        if answer.status in (200, 204, 206):
            if not into and content.lstrip()[:200].find(b"<Error>") >= 0:
                raise _Again("an error inside of a success")
            return named, content
        raise _problem(self._imds, answer.status, content, url)

    def _take(self, answer, into):
        before = into.at
        try:
            into.take(answer)
        finally:
            self._count("GET", 0, max(0, into.at - before))
        if not into.whole:
            self._local.connection = None
            raise _Again("the answer broke off after byte %d" % into.at)

    def _connection(self, url):
        if getattr(self._local, "connection", None) is None:
            self._local.connection = connect(url)
            self._local.connection.blocksize = BLOCK
        return self._local.connection

    def _count(self, method, sent, received):
        with self._lock:
            self.sent += sent
            self.received += received
            self.requests += method in ("PUT", "POST")


BROKEN = (OSError, http.client.HTTPException, Unreachable)
"""A connection, or a way to credentials, that another try may find whole."""


class _Again(Exception):
    """Worth another try."""


def parsed(content):
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as problem:
        raise Unreachable("an answer that cannot be read: %s" % problem)


def insisted(once, what, tries=TRIES):
    """What it returns, asked again as long as that may help. Raises Unreachable, and whatever else it raises."""
    problem = ""
    for attempt in range(tries):
        try:
            return once()
        except _Again as again:
            problem = str(again)
        except BROKEN as error:
            if full(error):
                raise
            problem = "%s: %s" % (type(error).__name__, error)
        if attempt < tries - 1:
            pause(attempt)
    raise Unreachable("%s: %s" % (what, problem))


def full(problem):
    """Whether this machine's disk is what fails: no other try helps."""
    return getattr(problem, "errno", None) == errno.ENOSPC


def _problem(imds, status, content, url):
    if any(code in content for code in STALE):
        imds.forget()
        return _Again("the role's credentials were refused")
    if status in WORTH_ANOTHER_TRY:
        return _Again("HTTP %d %s" % (status, content[:120].decode("utf-8", "replace")))
    if status in (404, 416):  # 416: it ends before the part that was asked for
        return Missing(url)
    if status == 409:  # another conditional write to the key was under way
        return _Again("HTTP 409")
    if status == 412:
        return Exists(url)
    if status == 403:
        return Denied("%s %s" % (url, content[:200].decode("utf-8", "replace")))
    return Unreachable("HTTP %d %s" % (status, content[:200].decode("utf-8", "replace")))


def call_json(imds, service, region, target, payload, dualstack):
    """One call of a JSON service, such as SSM. Raises Denied, Missing or Unreachable."""
    from . import aws

    domain = "api.aws" if dualstack else "amazonaws.com"
    url = (aws.ENDPOINT or "https://%s.%s.%s" % (service, region, domain)).rstrip("/") + "/"
    body = json.dumps(payload).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    return json.loads(call(imds, service, region, url, body, headers))


def call(imds, service, region, url, body, headers, tries=TRIES, patience=PATIENCE):
    """A signed POST with bounded tries; the content of the answer. Raises Denied, Missing, Unreachable."""
    digest = hashlib.sha256(body).hexdigest()

    def once():
        signed = sign("POST", url, headers, digest, (region, service), imds.credentials())
        with contextlib.closing(connect(url, patience)) as connection:
            connection.request("POST", "/", body, signed)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status == 200:
            return content
        if b"NotFound" in content:
            raise Missing(content[:200].decode("utf-8", "replace"))
        if answer.status == 400 and b"AccessDenied" in content:
            raise Denied(content[:200].decode("utf-8", "replace"))
        raise _problem(imds, answer.status, content, url)

    return insisted(once, service, tries)
