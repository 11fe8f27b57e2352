"""Google's way of answering: JSON, errors with a canonical status, long-running operations.

https://cloud.google.com/apis/design/errors
"""

import itertools
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Document = dict[str, Any]
HTTP = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "PERMISSION_DENIED": 403, "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429,
}  # fmt: skip


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    @property
    def code(self) -> int:
        return HTTP[self.status]

    def document(self) -> Document:
        return {"error": {"code": self.code, "message": self.message, "status": self.status}}


class Body(Document):
    """A document of a client. What it leaves out and the cloud needs is the client's mistake, at any depth."""

    def __missing__(self, name: str) -> Any:
        raise Refused("INVALID_ARGUMENT", f"Required field '{name}' is missing.")


@dataclass
class Request:
    """One call: `name` is the path behind the version, `verb` what may follow a colon."""

    method: str
    service: str
    name: str
    verb: str
    query: dict[str, str]
    body: Body


def read(environ: dict[str, Any]) -> Request:
    """The first part of the path says which service; behind it stands what Google's own host would be asked."""
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    _, service, _, name = (environ["PATH_INFO"] + "///").split("/", 3)
    name, _, verb = name.strip("/").partition(":") if service != "compute" else (name.strip("/"), "", "")
    return Request(
        environ["REQUEST_METHOD"], service, name, verb, dict(parse_qsl(environ.get("QUERY_STRING", ""))),
        body_of(raw),
    )  # fmt: skip


def body_of(raw: bytes) -> Body:
    try:
        found = json.loads(raw or b"{}", object_hook=Body)
    except ValueError as wrong:
        raise Refused("INVALID_ARGUMENT", f"Invalid JSON payload received: {wrong}") from wrong
    if not isinstance(found, Body):
        raise Refused("INVALID_ARGUMENT", "Invalid JSON payload received: it is no object")
    return found


class Operations:
    """Long-running operations of one service: done when they are looked at for the second time."""

    def __init__(self) -> None:
        self._numbers, self._held = itertools.count(1), dict[str, Document]()

    def begin(self, parent: str, verb: str, target: str, response: Document) -> Document:
        name = f"{parent}/operations/operation-{next(self._numbers)}"
        metadata = {
            "@type": "type.googleapis.com/google.cloud.tpu.v2.OperationMetadata",
            "verb": verb,
            "target": target,
        }
        self._held[name] = {"name": name, "metadata": metadata, "done": True, "response": response}
        return {"name": name, "metadata": metadata, "done": False}

    def get(self, name: str) -> Document:
        if name not in self._held:
            raise Refused("NOT_FOUND", f"Operation '{name}' was not found")
        return self._held[name]


def found(held: dict[str, Document], name: str) -> Document:
    if name not in held:
        raise Refused("NOT_FOUND", f"Resource '{name}' was not found")
    return held[name]


def add(held: dict[str, Document], name: str, document: Document) -> Document:
    if name in held:
        raise Refused("ALREADY_EXISTS", f"Resource '{name}' already exists")
    held[name] = document
    return document
