"""base-aws: what jobs need once."""

from stacks.components.aws_base import AwsBase
from stacks.components.aws_machine import REGION
from stacks.components.base_keys import AWS
from stacks.settings import read


def program() -> None:
    """The job store and the boundary of an account, and the network of a region."""
    AwsBase("base", read((REGION, *AWS))).export()
