"""Pulumi's own command line, for one stack, in the folder that we are in. What it says is on stderr."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Pulumi:
    """Raises ConfigError where it is not installed, or refuses."""

    stack: str

    def state(self) -> dict[str, Any]:
        return json.loads(self._run("stack", "export", output=subprocess.PIPE))

    def replace(self, state: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "state.json"
            file.write_text(json.dumps(state))
            self._run("stack", "import", "--file", str(file))

    def refresh(self) -> None:
        self._run("refresh", "--yes", "--skip-preview")

    def destroy(self) -> None:
        """Without what is protected: prepaid capacity stays."""
        self._run("destroy", "--yes", "--skip-preview", "--exclude-protected")

    def _run(self, *arguments: str, output: Any = None) -> str:
        command = ["pulumi", *arguments, "--non-interactive", "--stack", self.stack]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output or sys.stderr, text=True, check=False
            )
        except FileNotFoundError:
            raise ConfigError("pulumi is not installed.", hint="'make pulumi' builds it.") from None
        if done.returncode:
            raise ConfigError(
                f"'pulumi {arguments[0]}' ended with {done.returncode}.",
                hint="run it in the stack's own folder; 'pulumi cancel' takes the lock of a killed one away.",
            )
        return done.stdout or ""
