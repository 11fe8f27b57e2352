"""Checkpoints for a program that may be interrupted: whole, in step order, resumed from the newest.

    with Checkpoints(every_steps=100) as checkpoints:
        step, state = checkpoints.restore(load, fresh=initial)
        while step < 1000:
            state, step = train(state), step + 1
            if checkpoints.due(step):
                checkpoints.save(step, lambda folder: store(folder, state))
                if checkpoints.interrupted:
                    sys.exit(EXIT_INTERRUPTED)

Importing this needs the standard library alone. `provisioner.checkpoint.jax` and `provisioner.checkpoint.torch`
write and read the states of those frameworks, and import them.
"""

from provisioner.checkpoint.checkpoints import EXIT_INTERRUPTED, Checkpoints
from provisioner.checkpoint.environment import Environment
from provisioner.checkpoint.folder import Saved

__all__ = ["EXIT_INTERRUPTED", "Checkpoints", "Environment", "Saved"]
