"""base-aws: what jobs need once."""

from stacks.components.aws_base import KEYS, AwsBase
from stacks.settings import read


def program() -> None:
    """The job store and the boundary of an account, and the network of a region."""
    AwsBase("base", read(KEYS)).export()
