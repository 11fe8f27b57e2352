"""Policies of machine roles: identity policies within the permissions boundary. The developer's own key may do all.

moto's own enforcement is all or nothing (every caller needs an IAM user) and ignores conditions and resources but S3's.
"""

import fnmatch
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.access_control import AssumedRoleAccessKey, CreateAccessKeyFailure
from moto.iam.models import iam_backends
from moto.s3.models import FakeKey, s3_backends

from provisioner.sandbox.placement import ids_by_name
from provisioner.sandbox.wire import AwsError, Call

S3_ACTION = {
    "HeadObject": "GetObject", "ListObjectsV2": "ListBucket", "ListObjects": "ListBucket", "HeadBucket": "ListBucket",
    "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject", "ListBuckets": "ListAllMyBuckets", "AbortMultipartUpload": "AbortMultipartUpload",
}  # fmt: skip
ACTION = {"lambda.Invoke": "lambda:InvokeFunction"}
"""Where the permission has another name than the call."""
KEY_ACTIONS = {
    "GetObject": ("kms:Decrypt",), "PutObject": ("kms:GenerateDataKey",),
    "CreateMultipartUpload": ("kms:GenerateDataKey", "kms:Decrypt"),
}  # fmt: skip
RESOURCE_ID = re.compile(r"(\w*Id|Resource\w*)(\.\d+)?")
OBJECT_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
TAG_KEY = re.compile(r"(.*\.)?Tag\.\d+\.Key")
ACCELCTL = "accelctl with the developer's key"
JUDGED = ("StringEquals", "StringLike")
TAG_KEYS = "aws:TagKeys"


class Access:
    """Judges calls with role credentials. `unjudged` collects conditions it cannot judge: they deny.

    `used` holds, by role, what it was allowed and did: IAM's own "last accessed", with every action.
    """

    def __init__(self) -> None:
        self.unjudged: set[str] = set()
        self.used: dict[str, set[str]] = {}

    def refusal(self, call: Call, token: str) -> AwsError | None:
        try:
            caller = AssumedRoleAccessKey(DEFAULT_ACCOUNT_ID, "aws", call.access_key, {"X-Amz-Security-Token": token})
        except CreateAccessKeyFailure:
            return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        policies, boundary = list(statements(caller)), list(boundary_of(caller))
        for action, resource, context in needed(call):
            contexts = [context | tags for tags in tags_of_named(call)] or [context]
            if not all(
                self.allowed(rules, action, resource, each)
                for each in contexts
                for rules in ([policies, boundary] if boundary else [policies])
            ):
                return self.not_authorized(call, caller, f"{action} on resource: {resource}")
            self.used.setdefault(caller.arn.split("/")[1], set()).add(action)
        return None

    def note(self, call: Call) -> None:
        """What a key that may do everything was used for."""
        self.used.setdefault(ACCELCTL, set()).update(action for action, _, _ in needed(call))

    def not_authorized(self, call: Call, caller: AssumedRoleAccessKey, what: str) -> AwsError:
        code = "UnauthorizedOperation" if call.service == "ec2" else "AccessDenied"
        message = f"User: {caller.arn} is not authorized to perform: {what}"
        return AwsError(code if call.service in ("ec2", "s3") else "AccessDeniedException", message, 403)

    def allowed(self, rules: Iterable[dict[str, Any]], action: str, resource: str, context: dict[str, str]) -> bool:
        """At least one Allow and no Deny."""
        effects = {
            rule["Effect"]
            for rule in rules
            if matches(rule.get("Action"), action.lower(), lower=True)
            and (resource == "*" or matches(rule.get("Resource"), resource))
            and self.conditions_hold(rule.get("Condition", {}), context, deny=rule["Effect"] == "Deny")
        }
        return effects == {"Allow"}

    def conditions_hold(self, conditions: dict[str, dict[str, Any]], context: dict[str, str], *, deny: bool) -> bool:
        """A condition that cannot be judged does not hold for an Allow, and holds for a Deny."""
        verdicts = []
        for operator, keys in conditions.items():
            for key, wanted in keys.items():
                if operator in JUDGED and key in context:
                    verdicts.append(matches(wanted, context[key]))
                elif key == TAG_KEYS and operator in TAG_KEYS_JUDGED:
                    verdicts.append(TAG_KEYS_JUDGED[operator](context.get(key, "").split(), wanted))
                elif operator in JUDGED and key.startswith(("aws:ResourceTag/", "aws:RequestTag/", "s3:prefix")):
                    verdicts.append(False)
                else:
                    self.unjudged.add(f"{operator} {key}")
                    verdicts.append(deny)
        return all(verdicts)


def needed(call: Call) -> tuple[tuple[str, str, dict[str, str]], ...]:
    """Every action, resource and context that a call has to be allowed."""
    return (*requested(call), *decryptions(call), *object_keys(call), *absences(call), *lookups(call))


def requested(call: Call) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Action, resource and context of a call, or of each object that it names."""
    if call.service == "s3":
        action, place = f"s3:{S3_ACTION.get(call.operation, call.operation)}", f"arn:aws:s3:::{call.path.strip('/')}"
        named = OBJECT_KEY.findall(call.params.get("", "")) if call.operation == "DeleteObjects" else []
        for resource in [f"{place}/{html.unescape(key)}" for key in named] or [place]:
            yield action, resource, {"s3:prefix": call.params.get("prefix", "")}
        return
    if call.name == "ec2.RunInstances":
        yield (
            "ec2:RunInstances",
            f"arn:aws:ec2:{call.region}:{DEFAULT_ACCOUNT_ID}:instance/*",
            tags_of(call, "instance"),
        )
    body = json.loads(call.params.get("", "") or "{}") if "" in call.params else {}
    yield ACTION.get(call.name, f"{call.service}:{call.operation}"), resource_of(call, body), context_of(call, body)


def resource_of(call: Call, body: dict[str, Any]) -> str:
    here = f"{call.region}:{DEFAULT_ACCOUNT_ID}"
    if call.service == "ssm" and (name := body.get("Name")):
        return f"arn:aws:ssm:{here}:parameter/{name.strip('/')}"
    if call.service == "iam":
        return iam_resource(call)
    if call.service == "sqs" and (queue := body.get("QueueUrl")):
        return f"arn:aws:sqs:{here}:{queue.rsplit('/', 1)[-1]}"
    if call.service == "sns" and (topic := call.params.get("TopicArn")):
        return topic
    if call.service == "lambda" and "/functions/" in call.path:
        name = call.path.partition("/functions/")[2].split("/")[0]
        return name if name.startswith("arn:") else f"arn:aws:lambda:{here}:function:{name}"
    if call.service == "secretsmanager" and (name := body.get("SecretId")):
        return secret_arn(call.region, name)
    return "*"


def secret_arn(region: str, name: str) -> str:
    """With the six characters that the cloud puts behind a name."""
    from moto.secretsmanager.models import secretsmanager_backends

    if name.startswith("arn:"):
        return name
    held = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region].secrets.get(name)
    return held.arn if held else f"arn:aws:secretsmanager:{region}:{DEFAULT_ACCOUNT_ID}:secret:{name}-000000"


def decryptions(call: Call) -> Iterator[tuple[str, str, dict[str, str]]]:
    """A parameter under a key of the customer's own needs that key as well; the cloud's own asks for nothing more.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
    """
    from moto.ssm.models import ssm_backends

    if (call.service, call.operation) != ("ssm", "GetParameter"):
        return
    asked = json.loads(call.params.get("", "") or "{}")
    held = ssm_backends[DEFAULT_ACCOUNT_ID][call.region].get_parameter(asked.get("Name", ""))
    if held is None or held.parameter_type != "SecureString" or held.keyid in (None, "alias/aws/ssm"):
        return
    key = f"arn:aws:kms:{call.region}:{DEFAULT_ACCOUNT_ID}:key/{held.keyid.rsplit('/', 1)[-1]}"
    yield "kms:Decrypt", key, {"kms:ViaService": f"ssm.{call.region}.amazonaws.com"}


def object_keys(call: Call) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Objects under a key of the customer's own need that key too; a whole upload is read while it is put together.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    name, _, key = call.path.strip("/").partition("/")
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)
    actions = KEY_ACTIONS.get(call.operation, ()) if bucket and call.service == "s3" else ()
    if not actions:
        return
    default = ((bucket.encryption or {}).get("Rule") or {}).get("ApplyServerSideEncryptionByDefault", {})
    held = bucket.keys.get(key) if call.operation == "GetObject" else None
    used = held.kms_key_id if held else default.get("KMSMasterKeyID")
    if used in (None, "", "alias/aws/s3"):
        return
    arn = f"arn:aws:kms:{bucket.region_name}:{DEFAULT_ACCOUNT_ID}:key/{used.rsplit('/', 1)[-1]}"
    context = f"arn:aws:s3:::{name}/{key}"
    for action in actions:
        via = f"s3.{bucket.region_name}.amazonaws.com"
        yield action, arn, {"kms:ViaService": via, "kms:EncryptionContext:aws:s3:arn": context}


def absences(call: Call) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Only who may list the whole bucket is told that an object is missing; others are refused.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    name, _, key = call.path.strip("/").partition("/")
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)
    asked = bucket is not None and call.service == "s3" and call.operation in ("GetObject", "HeadObject")
    if asked and not isinstance(bucket.keys.get(key), FakeKey):
        yield "s3:ListBucket", f"arn:aws:s3:::{name}", {}


def lookups(call: Call) -> Iterator[tuple[str, str, dict[str, str]]]:
    """An image that is named by a parameter is looked up in the caller's name.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
    """
    image = call.params.get("ImageId", "")
    if (call.service, call.operation) == ("ec2", "RunInstances") and image.startswith("resolve:ssm:"):
        name = image.removeprefix("resolve:ssm:").strip("/")
        yield "ssm:GetParameters", f"arn:aws:ssm:{call.region}:{DEFAULT_ACCOUNT_ID}:parameter/{name}", {}


def iam_resource(call: Call) -> str:
    """A role or a profile by its path; anything else counts as everything."""
    kind, name = "instance-profile", call.params.get("InstanceProfileName")
    if not name:
        kind, name = "role", call.params.get("RoleName")
    if not name:
        return "*"
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    there = role_named(name) if kind == "role" else iam.instance_profiles.get(name)
    path = there.path if there else call.params.get("Path", "/")
    return f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:{kind}{path}{name}"


def context_of(call: Call, body: dict[str, Any]) -> dict[str, str]:
    """Tags in a create call, and the namespace of metrics."""
    tags = {
        f"aws:RequestTag/{call.params[name]}": call.params.get(f"{name.removesuffix('Key')}Value", "")
        for name in call.params
        if TAG_KEY.fullmatch(name)
    }
    named = call.params.get("Namespace") or body.get("Namespace")
    namespace = {"cloudwatch:namespace": named} if named else {}
    if tags:
        namespace[TAG_KEYS] = " ".join(key.removeprefix("aws:RequestTag/") for key in tags)
    return tags | namespace | (boundary_context(call) if call.service == "iam" else {})


def tags_of(call: Call, kind: str) -> dict[str, str]:
    """Those that the call gives to what it makes of that kind: a machine is asked for by itself, beside what it uses.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html#iam-example-runinstances
    """
    given = [name.removesuffix("ResourceType") for name, value in call.params.items()
             if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", name) and value == kind]  # fmt: skip
    return {
        f"aws:RequestTag/{value}": call.params.get(f"{name.removesuffix('Key')}Value", "")
        for name, value in call.params.items()
        if TAG_KEY.fullmatch(name) and name.startswith(tuple(given))
    }


def boundary_context(call: Call) -> dict[str, str]:
    """The boundary that a new role is to have, or that the named one has."""
    held = role_named(call.params.get("RoleName", ""))
    asked = call.params.get("PermissionsBoundary") or (held.permissions_boundary_arn if held else None)
    return {"iam:PermissionsBoundary": asked or ""}


def role_named(name: str) -> Any:
    roles = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values()
    return next((role for role in roles if role.name == name), None)


def tags_of_named(call: Call) -> list[dict[str, str]]:
    """The tags of each EC2 resource that a call acts on; a listing names none, as on AWS.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    """
    if call.service == "autoscaling" and (group := groups(call).get(group_named(call))):
        return [{f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in group.tags}]
    if call.service != "ec2" or call.operation.startswith(("Describe", "Get")):
        return []
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][call.region]
    named = [value for name, value in call.params.items() if RESOURCE_ID.fullmatch(name)]
    if call.operation == "DeletePlacementGroup":
        named = [ids_by_name(backend).get(call.params.get("GroupName", ""), "")]
    return [{f"aws:ResourceTag/{k}": v for k, v in backend.tags.get(one, {}).items()} for one in named]


def group_named(call: Call) -> str:
    """The group that the call is about, or whose member it is about."""
    held = ec2_backends[DEFAULT_ACCOUNT_ID][call.region].tags.get(call.params.get("InstanceId", ""), {})
    return call.params.get("AutoScalingGroupName", "") or held.get("aws:autoscaling:groupName", "")


def groups(call: Call) -> dict[str, Any]:
    from moto.autoscaling.models import autoscaling_backends

    return autoscaling_backends[DEFAULT_ACCOUNT_ID][call.region].autoscaling_groups


def statements(caller: AssumedRoleAccessKey) -> Iterator[dict[str, Any]]:
    for policy in caller.collect_policies():
        yield from statements_of(policy if isinstance(policy, str) else default_version(policy))


def boundary_of(caller: AssumedRoleAccessKey) -> Iterator[dict[str, Any]]:
    name = caller.arn.split("/")[1]
    iam, role = iam_backends[DEFAULT_ACCOUNT_ID]["aws"], role_named(name)
    arn = role.permissions_boundary_arn if role else None
    if arn and arn in iam.managed_policies:
        yield from statements_of(default_version(iam.managed_policies[arn]))


def default_version(policy: Any) -> str:
    return next(version for version in policy.versions if version.is_default).document


def statements_of(document: str) -> list[dict[str, Any]]:
    return listed(json.loads(document)["Statement"])


def all_among(keys: list[str], wanted: Any) -> bool:
    return all(matches(wanted, key) for key in keys)


def is_missing(keys: list[str], wanted: Any) -> bool:
    """`Null` with "true" holds where the call names none, with "false" where it names some."""
    return (not keys) == (str(wanted).lower() == "true")


TAG_KEYS_JUDGED = {"ForAllValues:StringEquals": all_among, "Null": is_missing}


def matches(patterns: Any, value: str, *, lower: bool = False) -> bool:
    return any(fnmatch.fnmatchcase(value, pattern.lower() if lower else pattern) for pattern in listed(patterns))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
