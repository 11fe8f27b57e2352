"""aws-p5: H100 machines for distributed training."""

from stacks.components.aws_training import TrainingMachines, keys_for
from stacks.settings import read

FAMILY = ("p5.48xlarge", "p5.4xlarge", "p5e.48xlarge", "p5en.48xlarge")


def program() -> None:
    """Machines of the P5 family, spot by default, that end by themselves."""
    TrainingMachines("p5", read(keys_for(FAMILY))).export()
