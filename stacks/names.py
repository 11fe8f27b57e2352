"""Which stacks there are."""

from difflib import get_close_matches

import pulumi

STACKS = (
    "aws-g5", "aws-inf2", "aws-p4d", "aws-p5", "aws-trn1", "azure-nd", "base-aws", "base-azure", "base-gcp",
    "gcp-tpu-v5e", "gcp-tpu-v5p", "reaper-aws",
)  # fmt: skip


def chosen() -> str:
    """The family that the stack's name begins with, the longest first. Raises RunError naming what there is."""
    name = pulumi.get_stack()
    fitting = [stack for stack in STACKS if name == stack or name.startswith(f"{stack}-")]
    if fitting:
        return max(fitting, key=len)
    near = get_close_matches(name, STACKS, 1, cutoff=0.4)
    meant = f" Did you mean {near[0]}?" if near else ""
    raise pulumi.RunError(f"there is no stack '{name}'.{meant}\nhint: known are {', '.join(STACKS)}, with any suffix.")
