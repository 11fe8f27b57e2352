"""FOLDER STEP N: saves STEP and is killed at its N-th file operation; with N = 0 it lives. Run by test_kill."""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from provisioner.checkpoint import Checkpoints, Environment

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def write(folder: Path) -> None:
    (folder / "deep").mkdir()
    for name in ("deep/first", "second"):
        (folder / name).write_text("new")


def die_at(operation: int) -> None:
    operations = count(1)

    def hook(event: str, _: object) -> None:
        if event in OPERATIONS and next(operations) == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(folder: str, step: int, operation: int) -> None:
    checkpoints = Checkpoints(folder, keep=2, environment=Environment())
    die_at(operation)
    checkpoints.save(step, write)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
