"""The job store as seen from the machine: S3 over http.client, a connection per thread, hashes on everything."""

import contextlib
import errno
import hashlib
import http.client
import json
import os
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

from .aws import EMPTY, PATIENCE, TRIES, WORTH_ANOTHER_TRY, Unreachable, bucket_url, connect, pause, sign

PART = 5 * 1024 * 1024
MOST_PARTS = 9000
LANES = 8
"""Parts of one large file that are under way at once, if there is room."""
ROOM = 15 * 1024 * 1024
"""Bytes of file content in memory at any time, over all threads: the machine's memory is the program's."""


STALE = (b"ExpiredToken", b"InvalidToken", b"InvalidAccessKeyId", b"TokenRefreshRequired")
"""Codes of credentials that were good before."""


class Missing(Exception):
    """No such object."""


class Denied(Exception):
    """The role may not."""


class Exists(Exception):
    """The object was to be created, and is there."""


class Changed(Exception):
    """A file is no longer what it was when it was hashed."""


class Room:
    """Lets so many bytes into memory at once. What is larger than all of it comes alone."""

    def __init__(self, size):
        self._size, self._free, self._changed = size, size, threading.Condition()

    @contextlib.contextmanager
    def taken(self, size):
        self.take(size)
        try:
            yield
        finally:
            self.give(size)

    def take(self, size):
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size

    def give(self, size):
        with self._changed:
            self._free += min(size, self._size)
            self._changed.notify_all()


class Store:
    """One bucket. Counts what it moves: `sent`, `received` bytes and `requests` that write."""

    def __init__(self, imds, bucket, region):
        self._imds, self._bucket, self._region = imds, bucket, region
        self._local, self._lock, self._room = threading.local(), threading.Lock(), Room(ROOM)
        self.sent = self.received = self.requests = 0

    def get(self, key):
        """The content. Raises Missing, Denied, Unreachable."""
        return self._send("GET", key)[1]

    def download(self, key, path):
        """Streams an object into a file; its SHA-256. Raises Missing, Denied, Unreachable."""
        return self._send("GET", key, into=path)[1]

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
            root = ElementTree.fromstring(self._send("GET", "", query=query)[1])
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            keys += [item.findtext(space + "Key") for item in root.iter(space + "Contents")]
            token = root.findtext(space + "NextContinuationToken") or ""
            if not token:
                return keys

    def upload(self, key, path, sha256):
        """Sends a file that was hashed before. Raises Changed, leaving nothing, where it is another by now."""
        size = os.path.getsize(path)
        if size > PART:
            return self._upload_parts(key, path, size, sha256)
        with self._room.taken(size):
            with open(path, "rb") as file:
                content = file.read(PART + 1)
            if hashlib.sha256(content).hexdigest() != sha256:
                raise Changed(path)
            return self._send("PUT", key, content, digest=sha256)

    def _upload_parts(self, key, path, size, sha256):
        root = ElementTree.fromstring(self._send("POST", key, b"", query={"uploads": ""})[1])
        upload = next(item.text for item in root.iter() if item.tag.endswith("UploadId"))
        try:
            tags = self._send_parts(key, path, size, upload, sha256)
        except BaseException:
            with contextlib.suppress(Denied, Missing, Unreachable):  # the bucket's lifecycle ends what stays
                self._send("DELETE", key, query={"uploadId": upload})
            raise
        parts = "".join(
            "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (number, tag) for number, tag in tags
        )
        body = ("<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % parts).encode()
        self._send("POST", key, body, query={"uploadId": upload})

    def _send_parts(self, key, path, size, upload, sha256):
        """Reads and hashes in order, sends a few parts at a time: memory stays at a few parts."""
        step, seen = max(PART, size // MOST_PARTS + 1), hashlib.sha256()

        def send(number, content):
            try:
                query = {"partNumber": str(number), "uploadId": upload}
                return number, self._send("PUT", key, content, query=query)[0]["etag"]
            finally:
                self._room.give(step)

        under_way = []
        with open(path, "rb") as file, ThreadPoolExecutor(LANES) as pool:
            for number in range(1, -(-size // step) + 1):
                if any(one.done() and one.exception() for one in under_way[-2 * LANES :]):
                    break  # the rest is not worth sending
                self._room.take(step)
                content = file.read(step)
                seen.update(content)
                under_way.append(pool.submit(send, number, content))
                del content
        tags = [one.result() for one in under_way]
        if seen.hexdigest() != sha256:
            raise Changed(path)
        return tags

    def _send(self, method, key, body=b"", headers=None, query=None, into=None, digest=""):
        """One request with bounded tries: (headers, content or hash of the file written)."""
        url = bucket_url(self._bucket, self._region, key)
        if query:
            url += "?" + urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote)
        body_hash = digest or (hashlib.sha256(body).hexdigest() if body else EMPTY)
        problem = ""
        for attempt in range(TRIES):
            try:
                signed = sign(method, url, headers or {}, body_hash, (self._region, "s3"), self._imds.credentials())
                return self._once(method, url, body, signed, into)
            except _Again as again:
                problem = str(again)
            except (OSError, http.client.HTTPException, Unreachable) as error:
                if getattr(error, "errno", None) == errno.ENOSPC:
                    raise
                self._local.connection = None
                problem = "%s: %s" % (type(error).__name__, error)
            if attempt < TRIES - 1:
                pause(attempt)
        raise Unreachable("%s %s: %s" % (method, key or self._bucket, problem))

    def _once(self, method, url, body, headers, into):
        connection = self._connection(url)
        path = url.split("/", 3)
        connection.request(method, "/" + path[3], body or (b"" if method in ("PUT", "POST") else None), headers)
        answer = connection.getresponse()
        content = self._write(answer, into) if into and answer.status == 200 else answer.read()
        self._count(method, len(body), 0 if into else len(content))
        named = {name.lower(): value for name, value in answer.getheaders()}
        if answer.status in (200, 204, 206):
            if not into and content.lstrip()[:200].find(b"<Error>") >= 0:
                raise _Again("an error inside of a success")
            return named, content
        if any(code in content for code in STALE):
            self._imds.forget()
            raise _Again("the role's credentials were refused")
        raise _problem(answer.status, content, url)

    def _write(self, answer, path):
        seen, size = hashlib.sha256(), 0
        with open(path, "wb") as out:
            for chunk in iter(lambda: answer.read(1 << 20), b""):
                seen.update(chunk)
                out.write(chunk)
                size += len(chunk)
        expected = answer.getheader("Content-Length")
        if expected and int(expected) != size:
            raise _Again("%d bytes of %s" % (size, expected))
        self._count("GET", 0, size)
        return seen.hexdigest()

    def _connection(self, url):
        if getattr(self._local, "connection", None) is None:
            self._local.connection = connect(url)
        return self._local.connection

    def _count(self, method, sent, received):
        with self._lock:
            self.sent += sent
            self.received += received
            self.requests += method in ("PUT", "POST")


class _Again(Exception):
    """Worth another try."""


def _problem(status, content, url):
    if status in WORTH_ANOTHER_TRY:
        return _Again("HTTP %d %s" % (status, content[:120].decode("utf-8", "replace")))
    if status == 404:
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
    problem = ""
    for attempt in range(tries):
        try:
            digest = hashlib.sha256(body).hexdigest()
            signed = sign("POST", url, headers, digest, (region, service), imds.credentials())
            connection = connect(url, patience)
            connection.request("POST", "/", body, signed)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if answer.status == 200:
                return content
            if b"NotFound" in content:
                raise Missing(content[:200].decode("utf-8", "replace"))
            found = _problem(answer.status, content, url)
            if answer.status == 400 and b"AccessDenied" in content:
                found = Denied(content[:200].decode("utf-8", "replace"))
            raise found
        except _Again as again:
            problem = str(again)
        except (OSError, http.client.HTTPException) as error:
            problem = "%s: %s" % (type(error).__name__, error)
        if attempt < tries - 1:
            pause(attempt)
    raise Unreachable("%s: %s" % (service, problem))
