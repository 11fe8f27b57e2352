"""What docs/stacks.md says that a project on Google Cloud needs."""

from pathlib import Path

from provisioner.sandbox.pulumi.gcp import VERSIONS

DOCS = Path(__file__).parents[2] / "docs" / "stacks.md"


def test_every_api_that_a_stack_calls_is_to_be_enabled() -> None:
    """Those that the stand-in calls are those that the stacks need."""
    text = DOCS.read_text()

    assert [name for name in VERSIONS if f" {name}.googleapis.com" not in text] == []
