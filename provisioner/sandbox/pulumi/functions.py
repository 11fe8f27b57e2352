"""Lambda's resource types, as pulumi-aws names and shapes them."""

from pathlib import Path
from typing import Any

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tagged, untold, without_error
from provisioner.sandbox.pulumi.wire import given

WITHOUT_CODE = ("Code", "Tags", "Architectures", "PackageType")
"""What a function's configuration does not hold."""


def wanted(inputs: Inputs) -> dict[str, Any]:
    environment = (inputs.get("environment") or {}).get("variables")
    return given({
        "FunctionName": inputs["name"], "Role": inputs["role"], "Handler": inputs.get("handler"),
        "Runtime": inputs.get("runtime"), "Code": {"ZipFile": packed(inputs["code"])},
        "MemorySize": inputs.get("memorySize"), "Timeout": inputs.get("timeout"), "Tags": inputs.get("tags"),
        "Architectures": inputs.get("architectures"),
        "DeadLetterConfig": {"TargetArn": (inputs.get("deadLetterConfig") or {}).get("targetArn", "")},
        "Environment": {"Variables": environment} if environment else None,
    })  # fmt: skip


def packed(archive: Inputs) -> bytes:
    """An archive of the engine's names the file that it lies in."""
    return Path(archive["path"]).read_bytes()


def create(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("lambda").create_function(**wanted(inputs))
    return inputs["name"], read(clients, inputs["name"], inputs) or {}


def read(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("lambda").get_function(FunctionName=name))
    if not found:
        return None
    held = found["Configuration"]
    return {"arn": held["FunctionArn"], "codeSha256": held["CodeSha256"]} | tagged(found.get("Tags") or {})


def update(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    asked = wanted({**old, **new})
    if old.get("code") != new.get("code"):
        clients("lambda").update_function_code(FunctionName=name, ZipFile=asked["Code"]["ZipFile"])
    settings = {key: value for key, value in asked.items() if key not in WITHOUT_CODE}
    held = clients("lambda").update_function_configuration(**settings)
    if lost := untold(old, new):
        clients("lambda").untag_resource(Resource=held["FunctionArn"], TagKeys=lost)
    clients("lambda").tag_resource(Resource=held["FunctionArn"], Tags=new.get("tags") or {})


def delete(clients: Clients, name: str, _: Inputs) -> None:
    without_error(lambda: clients("lambda").delete_function(FunctionName=name))


def permit(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("lambda").add_permission(**given({
        "FunctionName": inputs["function"], "StatementId": inputs["statementId"], "Action": inputs["action"],
        "Principal": inputs["principal"], "SourceArn": inputs.get("sourceArn"),
    }))  # fmt: skip
    return inputs["statementId"], {}


def permitted(clients: Clients, statement: str, state: Inputs) -> Inputs | None:
    found = gone(lambda: clients("lambda").get_policy(FunctionName=state["function"])["Policy"])
    return {} if found and f'"{statement}"' in found else None


def forbid(clients: Clients, statement: str, state: Inputs) -> None:
    name = state["function"]
    without_error(lambda: clients("lambda").remove_permission(FunctionName=name, StatementId=statement))


KINDS: dict[str, Kind] = {
    "aws:lambda/function:Function": Kind(
        create=create, read=read, delete=delete, update=update, replaces=("name", "architectures"), autoname="name",
        computed=("arn", "codeSha256"), required=("role", "code"),
    ),
    "aws:lambda/permission:Permission": Kind(
        create=permit, read=permitted, delete=forbid, autoname="statementId", computed=(),
        required=("action", "function", "principal"),
    ),
}  # fmt: skip
