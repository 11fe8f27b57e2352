"""storage.googleapis.com, the JSON API: buckets, who may use them, and objects as far as their names.

https://cloud.google.com/storage/docs/json_api/v1
"""

import re

from provisioner.sandbox.gcp.wire import Document, Refused, Request, add, found

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


class Storage:
    """One project's buckets. `accounts` are the service accounts there are."""

    def __init__(self, accounts: dict[str, Document]) -> None:
        self.buckets: dict[str, Document] = {}
        self._objects: dict[str, dict[str, Document]] = {}
        self._policies: dict[str, Document] = {}
        self._accounts = accounts

    def answer(self, request: Request) -> Document:
        """b, b/BUCKET, b/BUCKET/iam, b/BUCKET/o and b/BUCKET/o/OBJECT."""
        _, bucket, part, name = (request.name + "///").split("/", 3)
        if not bucket:
            return self._all(request)
        held = found(self.buckets, bucket)
        match part:
            case "iam":
                return self._policy(bucket, request)
            case "o":
                return self._object(bucket, name.strip("/"), request)
            case _:
                return self._one(bucket, held, request)

    def _all(self, request: Request) -> Document:
        if request.method == "GET":
            start = request.query.get("prefix", "")
            return {"items": [one for name, one in sorted(self.buckets.items()) if name.startswith(start)]}
        name = request.body["name"]
        if not NAME.fullmatch(name):
            raise Refused("INVALID_ARGUMENT", f"Invalid bucket name: '{name}'")
        self._objects[name], self._policies[name] = {}, {"bindings": []}
        return add(self.buckets, name, {"location": "US", **request.body, "kind": "storage#bucket", "id": name})

    def _one(self, bucket: str, held: Document, request: Request) -> Document:
        if request.method == "PATCH":
            held |= request.body
        if request.method == "DELETE":
            if self._objects[bucket]:
                raise Refused("ABORTED", "The bucket you tried to delete is not empty.")
            del self.buckets[bucket]
        return held

    def _policy(self, bucket: str, request: Request) -> Document:
        if request.method == "PUT":
            for member in [one for binding in request.body["bindings"] for one in binding["members"]]:
                kind, _, email = member.partition(":")
                if kind == "serviceAccount" and email not in self._accounts:
                    raise Refused("INVALID_ARGUMENT", f"Service account {email} does not exist.")
            self._policies[bucket] = request.body
        return self._policies[bucket]

    def _object(self, bucket: str, name: str, request: Request) -> Document:
        held = self._objects[bucket]
        if request.method == "POST":
            return held.setdefault(request.body["name"], {**request.body, "bucket": bucket})
        if not name:
            return {"items": list(held.values())}
        return held.pop(name) if request.method == "DELETE" and name in held else found(held, name)
