"""Fits a small neural network with JAX, and survives interruptions.

    accelctl spot-train --instance p4d.24xlarge -- python examples/train_jax.py --steps 400

The data of a step follow from its number alone, so the parameters at the end are the same, bit for bit, however often
the program was interrupted. Writes outputs/result.json: steps done, loss, a checksum of the parameters, and at which
step each attempt began, as [attempt, step]. Attempts that were gone before their first save are not among them.
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

from provisioner.checkpoint import EXIT_INTERRUPTED, Checkpoints
from provisioner.checkpoint.jax import load as load_tree
from provisioner.checkpoint.jax import save as save_tree

Tree = dict[str, jax.Array]

HIDDEN = 64
BATCH = 256
LEARNING_RATE = 0.05
MOMENTUM = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a checkpoint holds."""

    parameters: Tree
    velocity: Tree
    attempts: tuple[tuple[int, int], ...] = ()


def fresh_state() -> State:
    first, second = jax.random.split(jax.random.key(0))
    parameters = {
        "hidden": jax.random.normal(first, (2, HIDDEN)),
        "hidden_bias": jnp.zeros(HIDDEN),
        "out": jax.random.normal(second, (HIDDEN, 1)) / HIDDEN**0.5,
        "out_bias": jnp.zeros(1),
    }
    return State(parameters=parameters, velocity=jax.tree.map(jnp.zeros_like, parameters))


def predict(parameters: Tree, points: jax.Array) -> jax.Array:
    """Points of shape (batch, 2) to values of shape (batch,)."""
    hidden = jnp.tanh(points @ parameters["hidden"] + parameters["hidden_bias"])
    return (hidden @ parameters["out"] + parameters["out_bias"])[:, 0]


def batch(step: int | jax.Array) -> tuple[jax.Array, jax.Array]:
    """The points of a step and the values to fit there: sin(2x)·cos(y)."""
    points = jax.random.uniform(jax.random.fold_in(jax.random.key(1), step), (BATCH, 2), minval=-1.5, maxval=1.5)
    return points, jnp.sin(2 * points[:, 0]) * jnp.cos(points[:, 1])


def loss(parameters: Tree, step: int | jax.Array) -> jax.Array:
    points, values = batch(step)
    return jnp.mean((predict(parameters, points) - values) ** 2)


@jax.jit
def train_step(parameters: Tree, velocity: Tree, step: jax.Array) -> tuple[Tree, Tree, jax.Array]:
    """One step of gradient descent with momentum."""
    value, gradient = jax.value_and_grad(loss)(parameters, step)
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v - LEARNING_RATE * g, velocity, gradient)
    return jax.tree.map(jnp.add, parameters, velocity), velocity, value


def save(folder: Path, state: State) -> None:
    save_tree(folder, {"parameters": state.parameters, "velocity": state.velocity})
    (folder / "attempts.json").write_text(json.dumps(state.attempts))


def load(folder: Path) -> State:
    like = fresh_state()
    tree = load_tree(folder, {"parameters": like.parameters, "velocity": like.velocity})
    attempts = json.loads((folder / "attempts.json").read_text())
    return State(attempts=tuple((attempt, step) for attempt, step in attempts), **tree)


def train(checkpoints: Checkpoints, options: argparse.Namespace) -> None:
    step, state = checkpoints.restore(load, fresh=fresh_state())
    state = replace(state, attempts=(*state.attempts, (checkpoints.attempt, step)))
    print(f"attempt {checkpoints.attempt} begins at step {step} on {jax.devices()[0].device_kind}", flush=True)
    while step < options.steps:
        time.sleep(options.pace)
        parameters, velocity, value = train_step(state.parameters, state.velocity, jnp.asarray(step))
        state, step = replace(state, parameters=parameters, velocity=velocity), step + 1
        if step % options.print_every == 0 or step == options.steps:
            print(f"step {step} of {options.steps}: loss {value:.6f}", flush=True)
        if checkpoints.due(step):
            checkpoints.save(step, partial(save, state=state))
            if checkpoints.interrupted and step < options.steps:
                print(f"interrupted after step {step}: saved", flush=True)
                sys.exit(EXIT_INTERRUPTED)
    report(step, state)


def report(steps: int, state: State) -> None:
    outputs = Path("outputs")
    outputs.mkdir(exist_ok=True)
    result = {
        "steps": steps,
        "loss": float(loss(state.parameters, 0)),
        "checksum": checksum(state.parameters),
        "attempts": state.attempts,
    }
    (outputs / "result.json").write_text(json.dumps(result) + "\n")


def checksum(parameters: Tree) -> str:
    digest = hashlib.sha256()
    for name in sorted(parameters):
        digest.update(jax.device_get(parameters[name]).tobytes())
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400, help="steps to train")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds to wait at each step, to make it last")
    parser.add_argument("--save-every", type=int, default=50, help="steps from save to save")
    parser.add_argument("--print-every", type=int, default=50, help="steps from line to line")
    options = parser.parse_args()
    with Checkpoints(every_steps=options.save_every) as checkpoints:
        train(checkpoints, options)


if __name__ == "__main__":
    main()
