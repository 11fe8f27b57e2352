"""aws-inf2: Inferentia2 machines for inference."""

from stacks.components.aws_group import OfficeMachines, keys_for
from stacks.settings import read

FAMILY = ("inf2.xlarge", "inf2.8xlarge", "inf2.24xlarge", "inf2.48xlarge")


def program() -> None:
    """A group of the Inf2 family: spot, open in office hours, closed by itself."""
    OfficeMachines("inf2", read(keys_for(FAMILY, FAMILY[:2]))).export()
