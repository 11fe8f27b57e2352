"""What the stand-in providers say at a preview."""

from provisioner.sandbox.pulumi.ec2 import KINDS
from provisioner.sandbox.pulumi.wire import UNKNOWN

TEMPLATE = KINDS["aws:ec2/launchTemplate:LaunchTemplate"]


def test_the_version_of_a_template_that_changes_is_not_known_before() -> None:
    """So that a preview shows the machines that it replaces; other tags make no version."""
    old = {"imageId": "ami-1", "tags": {"team": "a"}}

    assert TEMPLATE.planned(old, old | {"placement": {"groupName": "p5"}}) == {"latestVersion": UNKNOWN}
    assert TEMPLATE.planned(old, {"imageId": "ami-1", "tags": {"team": "b"}}) == {}
