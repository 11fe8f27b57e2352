"""What the machine tells the program, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import ConfigError


@dataclass(frozen=True)
class Environment:
    """Where the program runs. The defaults are those of a program started by hand, outside accelctl."""

    job: str = ""
    attempt: int = 1
    folder: Path = Path("checkpoints")
    interruption_file: Path | None = None
    """Appears when the cloud gives notice; None where nobody would."""
    rank: int = 0
    world_size: int = 1

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """From `ACCELCTL_*`, and from `RANK` and `WORLD_SIZE` as torchrun sets them.

        Raises ConfigError, naming the variable, for one that is no whole number or too small.
        """
        given = os.environ if variables is None else variables
        interruption_file = given.get("ACCELCTL_INTERRUPTION_FILE")
        return cls(
            job=given.get("ACCELCTL_JOB", ""),
            attempt=_whole(given, "ACCELCTL_ATTEMPT", default=1, least=1),
            folder=Path(given.get("ACCELCTL_CHECKPOINT_DIR") or "checkpoints"),
            interruption_file=Path(interruption_file) if interruption_file else None,
            rank=_whole(given, "RANK", default=0, least=0),
            world_size=_whole(given, "WORLD_SIZE", default=1, least=1),
        )


def _whole(variables: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    text = variables.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise ConfigError(
            f"{name} is {text!r}, which is not a whole number from {least} on.", hint=f"unset {name} to get {default}"
        )
    return int(text)
