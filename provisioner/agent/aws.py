"""Requests to AWS: role credentials from the metadata service, Signature Version 4, retries. Embedded in user data."""

import datetime
import hashlib
import hmac
import http.client
import json
import os
import random
import ssl
import time
import urllib.parse
import urllib.request

EMPTY = hashlib.sha256(b"").hexdigest()
IMDS = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
TRIES = 6
PATIENCE = 20
"""Seconds that one step of a request may take: an interruption leaves 120."""
WORTH_ANOTHER_TRY = (429, 500, 502, 503, 504)


class Unreachable(Exception):
    """No answer, or none but errors of the server, after every try."""


class Imds:
    """The metadata service, version 2."""

    def __init__(self):
        self._token, self._token_until = "", 0.0
        self._held, self._held_until = None, 0.0

    def get(self, path):
        """The text at a path below /latest/; None where there is nothing."""
        if time.monotonic() > self._token_until:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
            self._token = self._ask("api/token", "PUT", lifetime)
            self._token_until = time.monotonic() + 21000
        return self._ask(path, "GET", {"X-aws-ec2-metadata-token": self._token})

    def _ask(self, path, method, headers):
        request = urllib.request.Request("%s/latest/%s" % (IMDS, path), method=method, headers=headers)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            self._token_until = 0.0  # a token that was refused is not used again
            raise Unreachable("metadata service: HTTP %d" % error.code)
        except (OSError, http.client.HTTPException, ValueError) as error:  # an answer may break off
            raise Unreachable("metadata service: %s" % error)

    def credentials(self):
        """Of the machine's role, renewed before they run out."""
        held = self._held
        if held is None or time.time() > self._held_until:
            name = (self.get("meta-data/iam/security-credentials/") or "").strip()
            text = self.get("meta-data/iam/security-credentials/" + name) if name else None
            if text is None:
                raise Unreachable("the machine has no role yet")
            held, ends = whole(text)
            self._held_until = ends.replace(tzinfo=datetime.timezone.utc).timestamp() - 600
            self._held = held
        return held

    def forget(self):
        """The credentials held were refused: the next request asks for new ones."""
        self._held = None

    def region(self):
        return self.get("meta-data/placement/region")


def whole(text):
    """The credentials, and when they end. A new role may not be assumed for a moment: then a reason stands there."""
    try:
        held = json.loads(text)
        ends = datetime.datetime.strptime(held["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
        held["AccessKeyId"], held["SecretAccessKey"], held["Token"]
        return held, ends
    except (ValueError, KeyError, TypeError):
        raise Unreachable("the machine's role cannot be used yet: %s" % text[:200])


def sign(method, url, headers, body_hash, scope, credentials):
    """The headers with a signature. `scope` is (region, service)."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    parts = urllib.parse.urlsplit(url)
    headers = dict(headers, host=parts.netloc)
    headers.update({"x-amz-date": now, "x-amz-content-sha256": body_hash, "x-amz-security-token": credentials["Token"]})
    names = ";".join(sorted(headers))
    lines = "".join("%s:%s\n" % (name, headers[name].strip()) for name in sorted(headers))
    query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    canonical = "\n".join([method, parts.path or "/", query, lines, names, body_hash])
    place = "/".join([now[:8], scope[0], scope[1], "aws4_request"])
    text = "\n".join(["AWS4-HMAC-SHA256", now, place, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + credentials["SecretAccessKey"]).encode()
    for word in place.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        credentials["AccessKeyId"], place, names, signature)  # fmt: skip
    return headers


def connect(url, patience=PATIENCE):
    """A connection to the host of a URL, not yet open."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.netloc, timeout=patience)
    return http.client.HTTPSConnection(parts.netloc, timeout=patience, context=ssl.create_default_context())


def pause(attempt):
    """Between two tries: grows, with jitter, 8 s at most."""
    time.sleep(min(8, 0.2 * 2**attempt) * (0.5 + random.random() / 2))


def bucket_url(bucket, region, key=""):
    """Where an object is: dual-stack, or below the endpoint that the environment names.

    AWS's certificate has one level for buckets, so that one with dots in its name is a part of the path.
    """
    path = urllib.parse.quote(key, safe="/-_.~")
    if ENDPOINT:
        return "%s/%s/%s" % (ENDPOINT.rstrip("/"), bucket, path)
    if "." in bucket:
        return "https://s3.dualstack.%s.amazonaws.com/%s/%s" % (region, bucket, path)
    return "https://%s.s3.dualstack.%s.amazonaws.com/%s" % (bucket, region, path)
