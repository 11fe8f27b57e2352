"""A sandbox of one test process, and short words for what tests do with it."""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from provisioner.sandbox import client

TYPE = "p4d.24xlarge"
IMAGE = "resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
BUCKET = "accelctl-test"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def leased(folder: Path) -> Generator[dict[str, Any]]:
    """A sandbox in the folder that ends with the block, or with this process; the environment leads to it."""
    before = dict(os.environ)
    os.environ["ACCELCTL_SANDBOX_HOME"] = str(folder)
    state, _ = client.start(folder, exit_with=os.getpid())
    try:
        for name, value in client.settings().items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})
        yield state
    finally:
        client.stop(folder)
        os.environ.clear()
        os.environ.update(before)


def aws(service: str, region: str = "us-east-1", session: boto3.Session | None = None) -> Any:
    once = Config(retries={"total_max_attempts": 1})
    return (session or boto3.Session()).client(service, region_name=region, config=once)  # pyright: ignore - any service


def assumed(rules: list[dict[str, Any]], service: str = "ec2") -> Any:
    """A service as a role with these rules may use it."""
    iam, name = aws("iam"), f"role-{uuid.uuid4().hex[:6]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": rules})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    keys = aws("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return aws(service, session=boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]))


def launch(script: str, zone: str = "us-east-1a", client: Any = None, **more: Any) -> dict[str, Any]:
    """One spot machine running the script, in the account's default network."""
    settings = {
        "ImageId": IMAGE, "InstanceType": TYPE, "MinCount": 1, "MaxCount": 1, "UserData": f"#!/bin/bash\n{script}\n",
        "Placement": {"AvailabilityZone": zone}, "InstanceInitiatedShutdownBehavior": "terminate",
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}},
    } | more  # fmt: skip
    return (client or aws("ec2")).run_instances(**{k: v for k, v in settings.items() if v is not None})["Instances"][0]


def describe(instance_id: str) -> dict[str, Any] | None:
    """None while the cloud does not list it."""
    try:
        return aws("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    except ClientError as error:
        if code_in(error) != "InvalidInstanceID.NotFound":
            raise
        return None


def state_of(instance_id: str) -> str:
    found = describe(instance_id)
    return found["State"]["Name"] if found else ""


def until(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """What the condition gives once it holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return value


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """Code and HTTP status of a refusal; ("", 200) where there was none."""
    try:
        call()
    except ClientError as error:
        return code_in(error), cast(Any, error.response)["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200


def code_in(error: ClientError) -> str:
    return cast(Any, error.response)["Error"]["Code"]


def alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    return False


def content(file: Path) -> str:
    return file.read_text() if file.exists() else ""
