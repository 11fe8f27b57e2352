"""A copy of the Pulumi project, driven by the real engine against the sandbox of the test process."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.sandbox.client import PROJECT

ROOT = Path(__file__).parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f somebody"
NEEDED = {"azure-nd": {"sshKey": KEY}, "gcp-tpu": {"gcp:project": PROJECT}, "base-gcp": {"gcp:project": PROJECT}}
"""What a family of stacks is not without."""
PACK = ("--policy-pack", str(ROOT / "policies"))
NO_CHANGE = "--expect-no-changes"
WITHIN = 120.0


@dataclass(frozen=True)
class Project:
    """One stack in a folder of its own, so that no configuration file is left in the sources."""

    folder: Path
    stack: str

    def run(self, *arguments: str, well: bool = True) -> subprocess.CompletedProcess[str]:
        """One pulumi command; with `well` it has to succeed."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, capture_output=True, text=True, timeout=WITHIN, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not well or done.returncode == 0, done.stdout + done.stderr
        return done

    def command(self, *arguments: str) -> list[str]:
        return ["pulumi", *arguments, "--non-interactive", "--stack", self.stack]

    def up(self, *arguments: str, well: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--yes", "--skip-preview", *arguments, well=well)

    def up_judged(self) -> None:
        """With the rules, which know everything that the stack makes."""
        done = self.up(*PACK)
        assert "not checked" not in done.stdout + done.stderr

    def interrupted(self, after: str, how: signal.Signals = signal.SIGINT, when: str = "created") -> int:
        """An `up` with the rules that is sent this (Ctrl-C) once something of the type is made, or `creating`: its
        exit status.
        """
        process = self.begun(subprocess.PIPE)
        assert process.stdout is not None
        for line in process.stdout:
            if f"{after} " in line and f" {when}" in line:
                process.send_signal(how)
                break
        process.communicate(timeout=WITHIN)
        return process.returncode

    def begun(self, output: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """An `up` with the rules that goes on."""
        command = self.command("up", "--yes", "--skip-preview", *PACK)
        return subprocess.Popen(command, cwd=self.folder, stdout=output, text=True)

    def configure(self, **values: str) -> None:
        for name, value in values.items():
            self.run("config", "set", name, value)

    def refuses(self, key: str, value: str, said: str) -> None:
        """A preview with that value names the key and what is allowed."""
        self.run("config", "set", key, value)
        done = self.run("preview", well=False)
        self.run("config", "rm", key)
        assert done.returncode != 0
        assert f"accelctl:{key}" in done.stdout
        assert said in done.stdout

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.run("stack", "output", "--json").stdout)

    def resources(self) -> dict[str, str]:
        """Type and logical name of everything in the state, with its id."""
        state = json.loads(self.run("stack", "export").stdout)
        return {one["urn"].split("::", 2)[2]: one.get("id", "") for one in state["deployment"].get("resources", [])}

    def made_in_order(self, *types: str) -> bool:
        """Whether these were made one after the other, by the order of the state."""
        made = [next(name for name in self.resources() if f"{one}::" in name) for one in types]
        return sorted(made, key=list(self.resources()).index) == made


def project(folder: Path, stack: str) -> Project:
    """The sources beside this Python."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("Pulumi.*.yaml", "__pycache__"))
    (folder / ".venv").symlink_to(sys.prefix)
    made = Project(folder, stack)
    subprocess.run(
        ["pulumi", "stack", "init", stack, "--non-interactive"], cwd=folder, check=True, capture_output=True, text=True
    )
    return made


def ready(folder: Path, stack: str) -> Project:
    """With what its family needs."""
    made = project(folder, stack)
    for family, values in NEEDED.items():
        made.configure(**values if stack.startswith(family) else {})
    return made


def engine() -> str:
    """Why there is no engine here; empty where `pulumi` is on PATH."""
    if shutil.which("pulumi"):
        return ""
    reason = "no Pulumi CLI: 'make pulumi' finds or builds one"
    assert not os.environ.get("CI"), reason
    return reason
