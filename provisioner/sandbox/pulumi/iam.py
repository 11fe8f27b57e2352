"""IAM's resource types, as pulumi-aws names and shapes them."""

import json

from provisioner.sandbox.pulumi.kinds import (
    Clients,
    Inputs,
    Kind,
    gone,
    tag_anew,
    tagged,
    tags_of,
    untagged,
    without_error,
)
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
    return {"arn": found["Arn"]} | tagged(found.get("Tags")) if found else None


def update_role(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    iam = clients("iam")
    if old["assumeRolePolicy"] != new["assumeRolePolicy"]:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=as_text(new["assumeRolePolicy"]))
    tag_anew(iam.tag_role, iam.untag_role, {"RoleName": name}, old, new)


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


def create_managed(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("iam").create_policy(**given({
        "PolicyName": inputs["name"], "Path": inputs.get("path"), "PolicyDocument": as_text(inputs["policy"]),
        "Description": inputs.get("description"), "Tags": tags_of(inputs),
    }))["Policy"]  # fmt: skip
    return found["Arn"], read_managed(clients, found["Arn"], inputs) or {}


def read_managed(clients: Clients, arn: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("iam").get_policy(PolicyArn=arn)["Policy"])
    return {"arn": arn} | tagged(found.get("Tags")) if found else None


def imported_managed(clients: Clients, arn: str) -> Inputs:
    found = clients("iam").get_policy(PolicyArn=arn)["Policy"]
    version = clients("iam").get_policy_version(PolicyArn=arn, VersionId=found["DefaultVersionId"])["PolicyVersion"]
    return {
        "name": found["PolicyName"], "path": found["Path"], "policy": as_text(version["Document"]),
        "tags": untagged(found.get("Tags")),
    }  # fmt: skip


def update_managed(clients: Clients, arn: str, old: Inputs, new: Inputs) -> None:
    """Another document is another version; five are kept, so that the one before goes."""
    iam = clients("iam")
    if old["policy"] != new["policy"]:
        before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=as_text(new["policy"]), SetAsDefault=True)
        iam.delete_policy_version(PolicyArn=arn, VersionId=before)
    tag_anew(iam.tag_policy, iam.untag_policy, {"PolicyArn": arn}, old, new)


def delete_managed(clients: Clients, arn: str, _: Inputs) -> None:
    without_error(lambda: clients("iam").delete_policy(PolicyArn=arn))


def create_profile(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    iam = clients("iam")
    found = iam.create_instance_profile(
        **given({"InstanceProfileName": inputs["name"], "Path": inputs.get("path"), "Tags": tags_of(inputs)})
    )["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName=inputs["name"], RoleName=inputs["role"])
    return inputs["name"], {"arn": found["Arn"], "tagsAll": inputs.get("tags") or {}}


def read_profile(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"])
    return {"arn": found["Arn"]} | tagged(found.get("Tags")) if found else None


def update_profile(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    iam = clients("iam")
    tag_anew(iam.tag_instance_profile, iam.untag_instance_profile, {"InstanceProfileName": name}, old, new)


def delete_profile(clients: Clients, name: str, state: Inputs) -> None:
    iam = clients("iam")
    without_error(lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=state["role"]))
    without_error(lambda: iam.delete_instance_profile(InstanceProfileName=name))


def as_text(document: object) -> str:
    return document if isinstance(document, str) else json.dumps(document)


KINDS: dict[str, Kind] = {
    "aws:iam/role:Role": Kind(
        create=create_role, read=read_role, delete=delete_role, update=update_role,
        replaces=("name", "path", "permissionsBoundary"), autoname="name", required=("assumeRolePolicy",),
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        create=create_policy, read=read_policy, delete=delete_policy, update=update_policy, replaces=("role", "name"),
        autoname="name", required=("role", "policy"), computed=(),
    ),
    "aws:iam/policy:Policy": Kind(
        create=create_managed, read=read_managed, delete=delete_managed, update=update_managed,
        replaces=("name", "path", "description"), autoname="name", required=("policy",), imported=imported_managed,
    ),
    "aws:iam/instanceProfile:InstanceProfile": Kind(
        create=create_profile, read=read_profile, delete=delete_profile, update=update_profile, autoname="name",
        required=("role",),
    ),
}  # fmt: skip
