"""Pulumi's own command line, for one stack, in the folder that we are in. What it says is on stderr."""

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.cli.output import note
from provisioner.cli.signals import as_ctrl_c
from provisioner.errors import ConfigError, Interrupted


@dataclass(frozen=True, slots=True)
class Pulumi:
    """Raises ConfigError where it is not installed, or refuses; Interrupted at Ctrl-C, once it has stopped in order."""

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
        try:  # a session of its own: Ctrl-C reaches it through us alone, and once
            engine = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output or sys.stderr, text=True, start_new_session=True
            )
        except FileNotFoundError:
            raise ConfigError("pulumi is not installed.", hint="'make pulumi' builds it.") from None
        with as_ctrl_c():
            said, interrupted = heard(engine)
        if interrupted:
            raise Interrupted(
                f"'pulumi {arguments[0]}' of the stack '{self.stack}' was stopped half way, in order.",
                hint="the same command goes on from here.",
            )
        if engine.returncode:
            raise ConfigError(
                f"'pulumi {arguments[0]}' ended with {engine.returncode}.",
                hint="run it in the stack's own folder; 'pulumi cancel' takes the lock of a killed one away.",
            )
        return said


def heard(engine: subprocess.Popen[str]) -> tuple[str, bool]:
    """What Pulumi printed until it ended, and whether a person stopped it: killed, it would leave its lock."""
    interrupted = False
    while True:
        try:
            return engine.communicate()[0] or "", interrupted
        except KeyboardInterrupt:
            interrupted = True
            engine.send_signal(signal.SIGINT)
            note("Pulumi ends what is under way; Ctrl-C again makes it stop at once")
