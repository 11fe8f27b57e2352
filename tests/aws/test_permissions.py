"""The page of permissions and the calls that are made."""

import re
import secrets
from pathlib import Path

import pytest

import provisioner.clouds.aws
from provisioner.catalog import labels
from provisioner.clock import SystemClock
from provisioner.clouds.aws import Aws
from provisioner.clouds.aws.kinds import KINDS
from provisioner.clouds.aws.sessions import camel
from provisioner.clouds.base import IdentityRequest
from provisioner.domain.offerings import Requirements
from provisioner.sandbox.access import ACCELCTL
from provisioner.sandbox.client import ask

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
ACTION = re.compile(r"\b[a-z0-9]+:[A-Z]\w+")
NAMED_IN_CODE = re.compile(r'(?:translated|_unless|refusals)\(\s*(?:\w+, )?"([a-z0-9]+:[A-Z]\w+)"')
OF_S3 = "s3:"
"""The sandbox names those by S3's operations, which are not always the permissions."""


def documented() -> set[str]:
    return set(ACTION.findall(PAGE.read_text(encoding="utf-8")))


def test_the_page_lists_every_permission_that_the_code_names() -> None:
    """What an error's hint may ask for, and what the table of kinds lists and removes."""
    package = Path(provisioner.clouds.aws.__file__).parent
    named = {action for file in package.glob("*.py") for action in NAMED_IN_CODE.findall(file.read_text())}
    of_kinds = {f"ec2:{camel(call)}" for kind in KINDS for call in (kind.describe, kind.remove)}

    assert len(named) > 30
    assert named | of_kinds <= documented()


@pytest.mark.usefixtures("sandbox")
def test_the_page_lists_every_permission_that_was_used() -> None:
    """Setup, a survey, an identity, a clean-up, and whatever else was done on this sandbox before."""
    region, job = "us-east-1", f"permitted-{secrets.token_hex(4)}"
    cloud = Aws(clock=SystemClock(), region=region)
    cloud.prepare(region)
    cloud.offerings(Requirements(instance_types=("g5.xlarge",)))
    cloud.make_identity(
        IdentityRequest(name=f"accelctl-{job}", job=job, labels=labels.ours(job=job), store="s3://s", read=())
    )
    for left in cloud.leftovers(job=job):
        cloud.remove(left)

    used = {action for action in ask("status")["used_permissions"][ACCELCTL] if not action.startswith(OF_S3)}
    assert len(used) > 20
    assert used <= documented()
