"""An AWS API call as read off the wire, and an AWS error as put on it."""

import io
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from botocore.loaders import Loader

Response = tuple[str, list[tuple[str, str]], bytes]

S3_BY_QUERY = {  # (method, has a key) -> the first sub-resource that is in the query names the operation
    ("GET", False): [
        ("list-type", "ListObjectsV2"), ("uploads", "ListMultipartUploads"), ("location", "GetBucketLocation"),
    ],
    ("POST", True): [("uploads", "CreateMultipartUpload"), ("uploadId", "CompleteMultipartUpload")],
    ("POST", False): [("delete", "DeleteObjects")],
    ("PUT", True): [("uploadId", "UploadPart")],
    ("DELETE", True): [("uploadId", "AbortMultipartUpload")],
}  # fmt: skip
S3_PLAIN = {
    ("GET", True): "GetObject", ("HEAD", True): "HeadObject", ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
    ("GET", False): "ListObjects", ("HEAD", False): "HeadBucket", ("PUT", False): "CreateBucket",
    ("DELETE", False): "DeleteBucket",
}  # fmt: skip


PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""Services that sign under another name than their permissions have."""


@dataclass
class Call:
    service: str
    operation: str
    region: str
    access_key: str
    path: str
    params: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"

    @property
    def changes_ec2(self) -> bool:
        return self.service in ("ec2", "autoscaling", "cloudformation") and not self.operation.startswith("Describe")


def read_call(environ: dict[str, Any]) -> Call:
    """S3's objects stay on the wire; the other bodies (small) are read and put back."""
    signed = environ.get("HTTP_AUTHORIZATION") or unquote(environ.get("QUERY_STRING", ""))  # or a presigned URL
    scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", signed)
    path, query = (
        environ.get("PATH_INFO", "/"),
        dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
    )
    unscoped = query.get("AWSAccessKeyId", ""), "us-east-1", "s3"  # boto3 still presigns the old way for us-east-1
    access_key, region, signed_for = scope.groups() if scope else unscoped
    service = PREFIXES.get(signed_for, signed_for)
    if service == "s3":
        operation = s3_operation(environ["REQUEST_METHOD"], path, query)
        if operation == "DeleteObjects":
            query |= {"": read_body(environ).decode("utf-8", "replace")}
        return Call(service, operation, region, access_key, path, query)
    body = read_body(environ)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return Call(service, target.split(".")[-1], region, access_key, path, {"": body.decode("utf-8", "replace")})
    params = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)) or query
    operation = params.get("Action") or rest_operation(service, environ["REQUEST_METHOD"], path)
    return Call(service, operation, region, access_key, path, params)


def read_body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def rest_operation(service: str, method: str, path: str) -> str:
    """The name of a call that only its path tells; the path itself where AWS's model has none."""
    found = [name for how, shape, name in rest_shapes(service) if how == method and shape.fullmatch(path.rstrip("/"))]
    return found[0] if found else f"{method} {path}"


@cache
def rest_shapes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """(method, path, operation), the most literal first, off AWS's own model of the service."""
    if service not in Loader().list_available_services("service-2"):
        return []
    model = Loader().load_service_model(service, "service-2")
    if not model["metadata"]["protocol"].startswith("rest"):
        return []
    https = [(name, one["http"]) for name, one in model["operations"].items()]
    calls = [(http["method"], http["requestUri"].split("?")[0].rstrip("/"), name) for name, http in https]
    calls.sort(key=lambda call: (call[1].count("{"), -len(call[1])))
    return [(method, shape(uri), name) for method, uri, name in calls]


def shape(uri: str) -> re.Pattern[str]:
    """A last part may hold slashes: an ARN does, and comes decoded."""
    parts = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(uri))
    return re.compile(re.sub(r"\[\^/\]\+$", ".+", parts))


def s3_operation(method: str, path: str, query: dict[str, str]) -> str:
    has_key = "/" in path.strip("/") or (path.count("/") > 1 and not path.endswith("/"))
    if path == "/":
        return "ListBuckets"
    for word, name in S3_BY_QUERY.get((method, has_key), []):
        if word in query:
            return name
    return S3_PLAIN.get((method, has_key), f"{method}Other")


def nested(params: dict[str, str]) -> Any:
    """The tree in a flat query: {"Tag.1.Key": "a"} is {"Tag": [{"Key": "a"}]}."""
    branches: dict[str, Any] = {}
    for name, value in params.items():
        first, _, rest = name.partition(".")
        if rest:
            branches.setdefault(first, {})[rest] = value
        else:
            branches[first] = value
    tree = {name: nested(branch) if isinstance(branch, dict) else branch for name, branch in branches.items()}
    numbered = tree and all(name.isdigit() for name in tree)
    return [tree[name] for name in sorted(tree, key=int)] if numbered else tree


def listed(call: Call, name: str) -> list[Any]:
    """A list among the parameters of an EC2 call; empty where it was not given."""
    return nested({k: v for k, v in call.params.items() if k.startswith(f"{name}.")}).get(name, [])


def labels_in(call: Call) -> dict[str, str]:
    """The tags that an EC2 call gives to what it makes."""
    specifications = [*listed(call, "TagSpecification"), *listed(call, "TagSpecifications")]
    return {tag["Key"]: tag.get("Value", "") for one in specifications for tag in one["Tag"]}


def tag_set(labels: dict[str, str]) -> str:
    """As EC2 lists them."""
    items = "".join(f"<item><key>{escape(k)}</key><value>{escape(v)}</value></item>" for k, v in labels.items())
    return f"<tagSet>{items}</tagSet>"


def reply(kind: str, text: str) -> Response:
    content = text.encode()
    return "200 OK", [("Content-Type", kind), ("Content-Length", str(len(content)))], content


def xml_answer(call: Call, body: str) -> Response:
    """The answer of an EC2 call."""
    name = f"{call.operation}Response"
    opening = f"<?xml version='1.0'?><{name} xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
    return reply("text/xml", f"{opening}<requestId>sandbox</requestId>{body}</{name}>")


@dataclass
class AwsError:
    code: str
    message: str
    status: int = 400


def render(call: Call, error: AwsError, environ: dict[str, Any]) -> Response:
    code, message = error.code, escape(error.message)
    kind, body = "text/xml", ""
    if "json" in environ.get("CONTENT_TYPE", ""):
        kind, body = environ["CONTENT_TYPE"], f'{{"__type": "{code}", "message": "{error.message}"}}'
    elif call.service == "ec2":
        body = (f"<?xml version='1.0'?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
                "</Errors><RequestID>sandbox</RequestID></Response>")  # fmt: skip
    elif call.service == "s3":
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    else:
        body = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
                "<RequestId>sandbox</RequestId></ErrorResponse>")  # fmt: skip
    data = body.encode()
    return f"{error.status} {code}", [("Content-Type", kind), ("Content-Length", str(len(data)))], data
