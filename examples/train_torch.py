"""Fits a small neural network with PyTorch, and survives interruptions.

    accelctl spot-train --instance g5.xlarge -- python examples/train_torch.py --steps 400

The random states are part of a checkpoint, so on the same kind of machine the parameters at the end are the same, bit
for bit, however often the program was interrupted. Writes outputs/result.json: steps done, loss, a checksum of the
parameters, and at which step each attempt began, as [attempt, step]. Attempts that were gone before their first save
are not among them.
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from provisioner.checkpoint import EXIT_INTERRUPTED, Checkpoints
from provisioner.checkpoint.torch import load, save

HIDDEN = 64
BATCH = 256


@dataclass
class Attempts:
    """At which step each attempt began: a part of the checkpoint like the others."""

    began: list[tuple[int, int]] = field(default_factory=list)

    def state_dict(self) -> dict[str, list[tuple[int, int]]]:
        return {"began": self.began}

    def load_state_dict(self, state_dict: dict[str, list[tuple[int, int]]]) -> None:
        self.began = state_dict["began"]


class Training:
    """Everything that a checkpoint holds, by name."""

    def __init__(self, device: str) -> None:
        torch.manual_seed(0)
        self.device = device
        self.model = torch.nn.Sequential(
            torch.nn.Linear(2, HIDDEN), torch.nn.Tanh(), torch.nn.Dropout(0.02), torch.nn.Linear(HIDDEN, 1)
        ).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=100, gamma=0.5)
        self.attempts = Attempts()
        self.parts = {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "attempts": self.attempts,
        }

    def step(self) -> torch.Tensor:
        """One optimizer step on fresh random points; the loss before it."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.loss(torch.rand(BATCH, 2, device=self.device) * 3 - 1.5)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.detach()

    def loss(self, points: torch.Tensor) -> torch.Tensor:
        """Mean squared error at points of shape (batch, 2); the values to fit are sin(2x)·cos(y)."""
        values = torch.sin(2 * points[:, 0]) * torch.cos(points[:, 1])
        return torch.nn.functional.mse_loss(self.model(points)[:, 0], values)


def train(checkpoints: Checkpoints, options: argparse.Namespace) -> None:
    training = Training("cuda" if torch.cuda.is_available() else "cpu")
    step, _ = checkpoints.restore(lambda folder: load(folder, **training.parts), fresh=None)
    training.attempts.began.append((checkpoints.attempt, step))
    print(f"attempt {checkpoints.attempt} begins at step {step} on {training.device}", flush=True)
    while step < options.steps:
        time.sleep(options.pace)
        loss = training.step()
        step += 1
        if step % options.print_every == 0 or step == options.steps:
            print(f"step {step} of {options.steps}: loss {loss:.6f}", flush=True)
        if checkpoints.due(step):
            checkpoints.save(step, lambda folder: save(folder, **training.parts))
            if checkpoints.interrupted and step < options.steps:
                print(f"interrupted after step {step}: saved", flush=True)
                sys.exit(EXIT_INTERRUPTED)
    report(step, training)


def report(steps: int, training: Training) -> None:
    outputs = Path("outputs")
    outputs.mkdir(exist_ok=True)
    training.model.eval()
    axis = torch.linspace(-1.5, 1.5, 32, device=training.device)
    with torch.no_grad():
        loss = training.loss(torch.cartesian_prod(axis, axis))
    result = {
        "steps": steps,
        "loss": float(loss),
        "checksum": checksum(training.model),
        "attempts": training.attempts.began,
    }
    (outputs / "result.json").write_text(json.dumps(result) + "\n")


def checksum(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
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
