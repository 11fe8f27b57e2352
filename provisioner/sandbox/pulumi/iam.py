"""IAM's resource types, as pulumi-aws names and shapes them."""

import json

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tags_of, without_error
from provisioner.sandbox.pulumi.wire import given


def create_role(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("iam").create_role(**given({
        "RoleName": inputs["name"], "Path": inputs.get("path"),
        "AssumeRolePolicyDocument": as_text(inputs["assumeRolePolicy"]),
        "PermissionsBoundary": inputs.get("permissionsBoundary"), "Tags": tags_of(inputs),
    }))["Role"]  # fmt: skip
    return inputs["name"], {"arn": found["Arn"], "tagsAll": inputs.get("tags") or {}}


def read_role(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("iam").get_role(RoleName=name)["Role"])
    return {"arn": found["Arn"]} if found else None


def delete_role(clients: Clients, name: str, _: Inputs) -> None:
    without_error(lambda: clients("iam").delete_role(RoleName=name))


def create_policy(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("iam").put_role_policy(
        RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=as_text(inputs["policy"])
    )
    return f"{inputs['role']}:{inputs['name']}", {}


def read_policy(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    role, name = identity.split(":", 1)
    return {} if gone(lambda: clients("iam").get_role_policy(RoleName=role, PolicyName=name)) else None


def update_policy(clients: Clients, identity: str, old: Inputs, new: Inputs) -> None:
    create_policy(clients, {**old, **new})


def delete_policy(clients: Clients, identity: str, _: Inputs) -> None:
    role, name = identity.split(":", 1)
    without_error(lambda: clients("iam").delete_role_policy(RoleName=role, PolicyName=name))


def create_profile(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    iam = clients("iam")
    found = iam.create_instance_profile(
        **given({"InstanceProfileName": inputs["name"], "Path": inputs.get("path"), "Tags": tags_of(inputs)})
    )["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName=inputs["name"], RoleName=inputs["role"])
    return inputs["name"], {"arn": found["Arn"], "tagsAll": inputs.get("tags") or {}}


def read_profile(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"])
    return {"arn": found["Arn"]} if found else None


def delete_profile(clients: Clients, name: str, state: Inputs) -> None:
    iam = clients("iam")
    without_error(lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=state["role"]))
    without_error(lambda: iam.delete_instance_profile(InstanceProfileName=name))


def as_text(document: object) -> str:
    return document if isinstance(document, str) else json.dumps(document)


KINDS: dict[str, Kind] = {
    "aws:iam/role:Role": Kind(
        create=create_role, read=read_role, delete=delete_role, autoname="name", required=("assumeRolePolicy",)
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        create=create_policy, read=read_policy, delete=delete_policy, update=update_policy, replaces=("role", "name"),
        autoname="name", required=("role", "policy"), computed=(),
    ),
    "aws:iam/instanceProfile:InstanceProfile": Kind(
        create=create_profile, read=read_profile, delete=delete_profile, autoname="name", required=("role",)
    ),
}  # fmt: skip
