# pyright: basic
# Orbax comes without types.
"""A pytree of JAX or numpy arrays to a checkpoint and back, by Orbax, in one process. Needs `orbax-checkpoint`."""

from pathlib import Path
from typing import TypeVar

import orbax.checkpoint as ocp

_NAME = "tree"

Tree = TypeVar("Tree")


def save(folder: Path, tree: object) -> None:
    """Writes every leaf of `tree` below `folder`, and returns once all of it is there.

    Leaves are arrays (typed PRNG keys too) or numbers. Raises what Orbax raises.
    """
    with ocp.StandardCheckpointer() as checkpointer:  # writes in the background; leaving the block waits for it
        checkpointer.save((folder / _NAME).absolute(), tree)


def load(folder: Path, like: Tree) -> Tree:
    """What `save` wrote, bit for bit, in the structure, the shapes, the types and on the devices of `like`.

    Raises what Orbax raises, ValueError where the structures differ.
    """
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore((folder / _NAME).absolute(), like)
