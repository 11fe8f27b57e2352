"""What a sandbox machine may do and reach."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.sandbox.world import TRUST, assumed, aws, content, launch, refused, until

BUCKET = "ways-and-roles"
RULES = [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/jobs/j1/*"},
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}",
     "Condition": {"StringLike": {"s3:prefix": "jobs/j1/*"}}},
]  # fmt: skip
PROGRAM = """
import boto3, botocore.config
quick = botocore.config.Config(retries={"total_max_attempts": 1})
s3, ec2 = boto3.client("s3", config=quick), boto3.client("ec2", config=quick)
calls = {"put own": lambda: s3.put_object(Bucket=BUCKET, Key="jobs/j1/a", Body=b"1"),
         "put other": lambda: s3.put_object(Bucket=BUCKET, Key="jobs/j2/a", Body=b"1"),
         "list own": lambda: s3.list_objects_v2(Bucket=BUCKET, Prefix="jobs/j1/x"),
         "get own": lambda: s3.get_object(Bucket=BUCKET, Key="jobs/j1/a"),
         "get what is not there": lambda: s3.get_object(Bucket=BUCKET, Key="jobs/j1/b"),
         "list all": lambda: s3.list_objects_v2(Bucket=BUCKET),
         "describe": lambda: ec2.describe_instances()}
for name, call in calls.items():
    try:
        call()
        print(name, "allowed")
    except Exception as error:
        print(name, getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))
print("done")
"""


@pytest.fixture(scope="module")
def role(sandbox: dict[str, Any]) -> str:
    iam, name = aws("iam"), "machine"
    aws("s3").create_bucket(Bucket=BUCKET)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    policy = json.dumps({"Version": "2012-10-17", "Statement": RULES})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return name


def network(*, gateway: bool) -> str:
    """A private subnet, with or without a way to the store."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    if gateway:
        ec2.create_vpc_endpoint(
            VpcEndpointType="Gateway", VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table]
        )
    return subnet


def said_on(sandbox: dict[str, Any], role: str, subnet: str) -> dict[str, str]:
    """What became of each call of the program on a machine in that subnet."""
    program = PROGRAM.replace("BUCKET", repr(BUCKET))
    script = f"PATH=\"$ACCELCTL_IMAGE_PATH:$PATH\" python - <<'END' >out 2>&1\n{program}\nEND"
    made = until(lambda: bought(script, role, subnet))
    out = Path(sandbox["root"], "machines", made, "home", "out")
    until(lambda: "done" in content(out), 40)
    aws("ec2").terminate_instances(InstanceIds=[made])
    return dict(line.rsplit(" ", 1) for line in content(out).splitlines() if " " in line)


def bought(script: str, role: str, subnet: str) -> str:
    """The machine; empty while its profile is too new."""
    made: list[str] = []

    def call() -> None:
        made.append(
            launch(script, SubnetId=subnet, Placement=None, IamInstanceProfile={"Name": role})["InstanceId"]
        )  # fmt: skip

    refused(call)
    return made[0] if made else ""


def test_a_role_may_what_its_policy_says_and_no_more(sandbox: dict[str, Any], role: str) -> None:
    """Own prefix yes, another's no; listing by prefix only; what is missing is refused, and no way is no answer."""
    said = said_on(sandbox, role, network(gateway=True))

    assert said["put own"] == said["get own"] == said["list own"] == "allowed"
    assert said["put other"] == said["list all"] == said["get what is not there"] == "AccessDenied"
    assert said["describe"] == "NetworkUnreachable"


def test_without_a_way_no_packet_reaches_the_store(sandbox: dict[str, Any], role: str) -> None:
    """A private subnet without endpoint, IPv6, NAT or public address is cut off, whatever the role allows."""
    said = said_on(sandbox, role, network(gateway=False))

    assert set(said.values()) == {"NetworkUnreachable"}


@pytest.mark.usefixtures("sandbox")
def test_a_new_profile_is_unknown_for_a_moment() -> None:
    """Invalid IAM Instance Profile, as on AWS; a moment later it is known."""
    iam = aws("iam")
    ask("consistency", profiles="600")
    iam.create_instance_profile(InstanceProfileName="fresh")

    assert refused(lambda: launch("true", IamInstanceProfile={"Name": "fresh"}))[0] == "InvalidParameterValue"
    ask("consistency", profiles="0.5")
    until(lambda: refused(lambda: launch("true", IamInstanceProfile={"Name": "fresh"}))[0] == "")


def labelled(value: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": value}]}]}


@pytest.mark.usefixtures("sandbox")
def test_a_condition_on_labels_is_judged_for_every_machine_of_the_call() -> None:
    """Ending the labelled one is allowed; the other one, or both together, is not."""
    ours, theirs = launch("true", **labelled("ours"))["InstanceId"], launch("true", **labelled("theirs"))["InstanceId"]
    only_ours = {"StringEquals": {"aws:ResourceTag/team": "ours"}}
    ec2 = assumed([{"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": only_ours}])

    assert refused(lambda: ec2.terminate_instances(InstanceIds=[theirs])) == ("UnauthorizedOperation", 403)
    assert refused(lambda: ec2.terminate_instances(InstanceIds=[ours, theirs])) == ("UnauthorizedOperation", 403)
    assert refused(lambda: ec2.describe_instances(InstanceIds=[ours])) == ("UnauthorizedOperation", 403)
    assert refused(lambda: ec2.terminate_instances(InstanceIds=[ours])) == ("", 200)


@pytest.mark.usefixtures("sandbox")
def test_a_condition_on_the_labels_of_a_request_is_judged() -> None:
    """A role may label with its own value only."""
    made = launch("true")["InstanceId"]
    as_ours = {"StringLike": {"aws:RequestTag/team": "ou*"}}
    ec2 = assumed([{"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*", "Condition": as_ours}])

    def label(value: str) -> tuple[str, int]:
        return refused(lambda: ec2.create_tags(Resources=[made], Tags=[{"Key": "team", "Value": value}]))

    assert label("theirs") == ("UnauthorizedOperation", 403)
    assert label("ours") == ("", 200)


@pytest.mark.usefixtures("sandbox")
def test_objects_that_go_together_are_judged_one_by_one() -> None:
    """As IAM judges DeleteObjects: by the keys in its body."""
    store, bucket = aws("s3"), f"goes-{uuid.uuid4().hex[:6]}"
    store.create_bucket(Bucket=bucket)
    for key in ("open/a & b", "kept/c"):
        store.put_object(Bucket=bucket, Key=key, Body=b"1")
    rules = [{"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/open/*"}]
    limited = assumed(rules, "s3")

    def remove(*keys: str) -> tuple[str, int]:
        return refused(lambda: limited.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]}))

    assert remove("open/a & b", "kept/c") == ("AccessDenied", 403)
    assert remove("open/a & b") == ("", 200)
    assert [one["Key"] for one in store.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept/c"]


def test_a_machine_is_asked_for_by_itself_beside_what_it_is_made_with(sandbox: dict[str, Any]) -> None:
    """Leave to use image and network buys nothing: without its own label it is refused."""
    kinds = {
        "instance": {"StringEquals": {"aws:RequestTag/team": "ours"}},
        "subnet": None,
        "image": None,
        "volume": None,
    }
    rules = [
        {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": f"arn:aws:ec2:*:*:{kind}/*"}
        | ({"Condition": held} if held else {})
        for kind, held in kinds.items()
    ]
    client = assumed([*rules, {"Effect": "Allow", "Action": ["ssm:GetParameters", "ec2:CreateTags"], "Resource": "*"}])
    seen: dict[str, str] = {}
    for kind in ("", "volume", "instance"):
        marks = [{"ResourceType": kind, "Tags": [{"Key": "team", "Value": "ours"}]}] if kind else None
        seen[kind] = refused(lambda marks=marks: launch("sleep 1", client=client, TagSpecifications=marks))[0]

    assert seen == {"": "UnauthorizedOperation", "volume": "UnauthorizedOperation", "instance": ""}


def test_what_is_in_no_profile_any_more_is_not_found(sandbox: dict[str, Any]) -> None:
    """A removal that broke off is begun again, and IAM says that this was done."""
    iam, name = aws("iam"), f"left-{uuid.uuid4().hex[:8]}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName=name)

    code, _ = refused(lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name))
    assert code == "NoSuchEntity"
