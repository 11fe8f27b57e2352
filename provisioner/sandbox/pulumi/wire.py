"""Pulumi's property values as plain Python, and back. Shapes: pulumi's sdk/proto/pulumi/provider.proto."""

from typing import Any

from google.protobuf import json_format, struct_pb2

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that only `up` will know."""
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of a secret value, no secret


def read(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Numbers that are whole are ints: protobuf has only floats. Secrets are unwrapped."""
    return plain(json_format.MessageToDict(struct))


def plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return plain(value["value"])
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def written(values: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    json_format.ParseDict(values, struct)
    return struct


def unknown(value: Any) -> bool:
    """Whether any part of it is not known yet."""
    if isinstance(value, dict):
        return any(unknown(one) for one in value.values())
    if isinstance(value, list):
        return any(unknown(one) for one in value)
    return value == UNKNOWN


def pascal(value: Any) -> Any:
    """maxPrice -> MaxPrice, at every depth: how AWS spells what Pulumi spells otherwise."""
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: pascal(one) for name, one in value.items()}
    return [pascal(one) for one in value] if isinstance(value, list) else value


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Without what was not said."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
