"""An engine that is killed while it makes something: `accelctl adopt`, and the next `up` makes nothing twice."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.engine.project import NO_CHANGE, PACK, Project, ready
from tests.sandbox.azure import machines
from tests.sandbox.google import nodes
from tests.sandbox.world import aws, until

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.usefixtures("sandbox")]


LISTED = {
    "describe_vpcs": ("Vpcs", "VpcId"), "describe_subnets": ("Subnets", "SubnetId"),
    "describe_security_groups": ("SecurityGroups", "GroupId"),
    "describe_route_tables": ("RouteTables", "RouteTableId"),
    "describe_launch_templates": ("LaunchTemplates", "LaunchTemplateId"),
    "describe_vpc_endpoints": ("VpcEndpoints", "VpcEndpointId"),
    "describe_instance_connect_endpoints": ("InstanceConnectEndpoints", "InstanceConnectEndpointId"),
}  # fmt: skip


def labelled(stack: Project) -> set[str]:
    """The ids of everything of EC2 that carries the stack's label, by the cloud's own lists."""
    mine = [{"Name": "tag:accelctl:stack", "Values": [stack.stack]}]
    living = {"Name": "instance-state-name", "Values": ["pending", "running"]}
    held = aws("ec2").describe_instances(Filters=[*mine, living])["Reservations"]
    found = {one["InstanceId"] for reservation in held for one in reservation["Instances"]}
    for call, (items, name) in LISTED.items():
        listed = getattr(aws("ec2"), call)(Filters=mine)[items]
        found |= {one[name] for one in listed if one.get("State") != "deleted"}
    return found


def named() -> dict[str, set[str]]:
    """What AWS keeps by name."""
    groups = aws("scheduler").list_schedule_groups()["ScheduleGroups"]
    return {
        "roles": {one["RoleName"] for one in aws("iam").list_roles()["Roles"]},
        "profiles": {one["InstanceProfileName"] for one in aws("iam").list_instance_profiles()["InstanceProfiles"]},
        "schedules": {one["Name"] for one in aws("scheduler").list_schedules()["Schedules"]},
        "groups": {one["Name"] for one in groups} - {"default"},
    }


def adopted(stack: Project) -> list[str]:
    """The ids, taken over as a person does it in the stack's folder, once nothing that the engine began is going on."""
    until(lambda: not providers(stack.folder), 60)
    stack.run("cancel", "--yes", well=False)  # the killed one's lock, if it had one
    restore(stack)
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "adopt", stack.stack, "--output", "json"],
        cwd=stack.folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [one["id"] for one in json.loads(done.stdout)["adopted"] if one["id"]]


def restore(stack: Project) -> None:
    """Pulumi's own backend of files writes a state in place, after a copy of the one before."""
    place = Path(os.environ["PULUMI_BACKEND_URL"].removeprefix("file://"))
    (state,) = place.glob(f".pulumi/stacks/*/{stack.stack}.json")
    try:
        json.loads(state.read_text())
    except ValueError:
        shutil.copy(f"{state}.bak", state)


def providers(folder: Path) -> list[int]:
    """What the engine started for this project, by where it runs."""
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and inside(one / "cwd", folder)]


def inside(link: Path, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return link.resolve(strict=True).is_relative_to(folder)
    return False


def killed(stack: Project, type: str) -> list[str]:
    """As it begins to make something of the type, which is there or not; the ids that were taken over."""
    if stack.interrupted(type, signal.SIGKILL, "creating") != -signal.SIGKILL:
        stack.up(*PACK)
        raise AssertionError("it was not killed")
    return adopted(stack)


def killed_once(stack: Project, there: Callable[[], Any]) -> list[str]:
    """While it waits for what is in the cloud already."""
    process = stack.begun()
    try:
        until(there, 60)
    finally:
        process.kill()
        process.wait()
    return adopted(stack)


def test_on_aws_nothing_is_made_twice_and_nothing_is_left(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Killed at its network, its subnet, its template and its machine: each is taken over, and goes with the stack."""
    stack, before = ready(tmp_path, "aws-p5-killed"), named()
    mine = [{"Name": "tag:accelctl:stack", "Values": [stack.stack]}]
    for kind in ("aws:ec2:Vpc", "aws:ec2:Subnet", "aws:ec2:LaunchTemplate"):
        killed(stack, kind)
    (machine,) = killed_once(stack, lambda: aws("ec2").describe_instances(Filters=mine)["Reservations"])
    stack.up(*PACK)
    stack.up(NO_CHANGE, *PACK)

    assert stack.outputs()["machines"] == [machine]
    assert labelled(stack) <= set(stack.resources().values())
    stack.run("destroy", "--yes", "--skip-preview")
    assert labelled(stack) == set()
    assert named() == before


def test_on_google_nothing_is_made_twice_and_nothing_is_left(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Killed at its network, at an account where none was made beside that at the very last, and at its node."""
    stack, before = ready(tmp_path, "gcp-tpu-v5e-killed"), ask("status")["google"]
    killed(stack, "gcp:compute:Network")
    if not any(":Account::" in urn for urn in stack.resources()):
        killed(stack, "gcp:serviceaccount:Account")
    killed_once(stack, nodes)
    (node,) = nodes()
    stack.up(*PACK)
    stack.up(NO_CHANGE, *PACK)

    there = [one for one in stack.resources().values() if one.startswith("projects/")]
    assert [one.name for one in nodes()] == [node.name]
    assert sum(ask("status")["google"].values()) - sum(before.values()) == len(there)
    stack.run("destroy", "--yes", "--skip-preview")
    assert ask("status")["google"] == before


def test_on_azure_nothing_is_made_twice_and_nothing_is_left(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Killed at its resource group, its network and its machine."""
    stack, before = ready(tmp_path, "azure-nd-killed"), ask("status")["azure"]
    for kind in ("azure-native:resources:ResourceGroup", "azure-native:network:VirtualNetwork"):
        killed(stack, kind)
    killed_once(stack, machines)
    (machine,) = machines()
    stack.up(*PACK)
    stack.up(NO_CHANGE, *PACK)

    assert [one.vm_id for one in machines()] == [machine.vm_id]
    stack.run("destroy", "--yes", "--skip-preview")
    assert ask("status")["azure"] == before
