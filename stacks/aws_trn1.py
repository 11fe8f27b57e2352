"""aws-trn1: Trainium machines for distributed training."""

from stacks.components.aws_training import TrainingMachines, keys_for
from stacks.settings import read

FAMILY = ("trn1.32xlarge", "trn1.2xlarge", "trn1n.32xlarge")


def program() -> None:
    """Machines of the Trn1 family, spot by default, that end by themselves."""
    TrainingMachines("trn1", read(keys_for(FAMILY))).export()
