"""aws-p4d: A100 machines for distributed training."""

from stacks.components.aws_training import TrainingMachines, keys_for
from stacks.settings import read

FAMILY = ("p4d.24xlarge", "p4de.24xlarge")


def program() -> None:
    """Machines of the P4 family, spot by default, that end by themselves."""
    TrainingMachines("p4d", read(keys_for(FAMILY))).export()
