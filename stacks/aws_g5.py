"""aws-g5: A10G machines for development and inference."""

from stacks.components.aws_group import OfficeMachines, keys_for
from stacks.settings import read

FAMILY = (
    "g5.xlarge", "g5.2xlarge", "g5.4xlarge", "g5.8xlarge",
    "g5.12xlarge", "g5.16xlarge", "g5.24xlarge", "g5.48xlarge",
)  # fmt: skip


def program() -> None:
    """A group of the G5 family: spot, open in office hours, closed by itself."""
    OfficeMachines("g5", read(keys_for(FAMILY, FAMILY[:2]))).export()
