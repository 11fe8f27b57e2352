"""Adds up the numbers below --steps, slowly, and survives interruptions. Needs nothing but Python.

    accelctl spot-train --instance c6i.large -- python examples/count.py --steps 300

Writes outputs/result.json: steps done, the sum, and at which step each attempt began, as [attempt, step]. An attempt
that was gone before its first save is not among them: nobody was told of it.
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from provisioner.checkpoint import EXIT_INTERRUPTED, Checkpoints


@dataclass
class State:
    """What a checkpoint holds."""

    total: int = 0
    attempts: list[tuple[int, int]] = field(default_factory=list)


def save(folder: Path, state: State) -> None:
    (folder / "state.json").write_text(json.dumps(asdict(state)))


def load(folder: Path) -> State:
    return State(**json.loads((folder / "state.json").read_text()))


def count(checkpoints: Checkpoints, options: argparse.Namespace) -> None:
    step, state = checkpoints.restore(load, fresh=State())
    state.attempts.append((checkpoints.attempt, step))
    print(f"attempt {checkpoints.attempt} begins at step {step}", flush=True)
    while step < options.steps:
        time.sleep(options.pace)
        state.total += step
        step += 1
        if step % options.print_every == 0 or step == options.steps:
            print(f"step {step} of {options.steps}: the sum is {state.total}", flush=True)
        if checkpoints.due(step):
            checkpoints.save(step, lambda folder: save(folder, state))
            if checkpoints.interrupted and not options.ignore_sigterm and step < options.steps:
                print(f"interrupted after step {step}: saved", flush=True)
                sys.exit(EXIT_INTERRUPTED)
    report(step, state)


def report(steps: int, state: State) -> None:
    if state.total != steps * (steps - 1) // 2:
        sys.exit(f"the sum of the numbers below {steps} is not {state.total}: a step was lost or done twice")
    outputs = Path("outputs")
    outputs.mkdir(exist_ok=True)
    result = {"steps": steps, "sum": state.total, "attempts": state.attempts}
    (outputs / "result.json").write_text(json.dumps(result) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="numbers to add up")
    parser.add_argument("--pace", type=float, default=0.1, help="seconds that a step takes")
    parser.add_argument("--save-every", type=int, default=10, help="steps from save to save")
    parser.add_argument("--print-every", type=int, default=10, help="steps from line to line")
    parser.add_argument(
        "--ignore-sigterm", action="store_true", help="go on when interrupted, as a stubborn program would"
    )
    options = parser.parse_args()
    checkpoints = Checkpoints(every_steps=options.save_every)
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        count(checkpoints, options)
    else:
        with checkpoints:
            count(checkpoints, options)


if __name__ == "__main__":
    main()
