"""Peak memory of the terminal's process and of the machine's agent, against the AWS CLI listing machines."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.sandboxed import sandbox
from provisioner.sandbox.client import ask
from tests.e2e.jobs import Job, accelctl, counting, started


def peak_mib(pid: int) -> float:
    """VmHWM of a living process."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def agent_of(machine: int) -> int:
    """The agent among the descendants of a machine's first process."""
    for folder in Path("/proc").glob("[0-9]*"):
        command = folder.joinpath("cmdline").read_bytes().split(b"\0") if folder.joinpath("cmdline").exists() else []
        if b"agent.pyz" in command and descends(int(folder.name), machine):
            return int(folder.name)
    raise LookupError("the machine has no agent")


def descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[1])
    return False


def aws_cli_mib() -> float:
    """Peak of `aws ec2 describe-instances`; 0 where it is not installed."""
    if not shutil.which("aws"):
        return 0.0
    process = subprocess.Popen(["aws", "ec2", "describe-instances"], stdout=subprocess.DEVNULL)
    return os.wait4(process.pid, 0)[2].ru_maxrss / 1024


def main() -> int:
    with sandbox():
        accelctl("setup")
        with started(*counting("weighed", steps=100_000)) as cli:
            Job("weighed").running(1)
            machine = next(m["pid"] for m in ask("status")["machines"] if m["state"] == "running")
            terminal, agent, peer = peak_mib(cli.pid), peak_mib(agent_of(machine)), aws_cli_mib()
            cli.kill()
        accelctl("teardown", "weighed", "--yes")
    beside = f"{terminal / peer:.1f} x the AWS CLI's {peer:.0f} MiB" if peer else "the AWS CLI is not installed"
    print(f"memory: spot-train on the terminal {terminal:.0f} MiB, {beside}")
    print(f"memory: the agent on the machine {agent:.0f} MiB")
    return 0
