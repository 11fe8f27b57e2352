"""Seconds from the end of a machine to the program running again, split by cause, against the wait that is polling."""

import time
from datetime import datetime
from typing import Any

from benchmarks.sandboxed import sandbox
from provisioner.sandbox.client import ask
from tests.e2e.jobs import Job, accelctl, counting, started


def moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def main() -> int:
    with sandbox():
        accelctl("setup")
        with started(*counting("recovered", steps=100_000)) as cli:
            job = Job("recovered")
            first = job.running(1)
            ended = time.time()
            ask("interrupt", instance=first["id"], notice="0")
            again = job.holds(running_again)
            running = time.time()
            cli.kill()
        bought = max(moment(again["attempts"][1]["launched_at"]), ended)  # the cloud gives whole seconds
        print(f"recovery: {running - ended:.1f} s from the end of a machine to the program running again")
        print(f"recovery: bought after {bought - ended:.1f} s (looked every 0.3 s; launch times are whole seconds)")
        print(f"recovery: booted, restored and running after {running - bought:.1f} s more")
        accelctl("teardown", "recovered", "--yes")
    return 0


def running_again(found: dict[str, Any]) -> bool:
    return len(found["attempts"]) == 2 and found["attempts"][1]["state"] == "running"
