"""How many requests a launch, a minute of running and an interruption cost, at the pace of a real cloud."""

from collections import Counter

from benchmarks.sandboxed import requests, sandbox
from provisioner.sandbox.client import ask
from tests.e2e.jobs import Job, accelctl, counting, started
from tests.sandbox.world import until

REAL_PACE = {"ACCELCTL_POLL_EVERY": "10s", "ACCELCTL_HEARTBEAT_EVERY": "15s", "ACCELCTL_SETTLE": "2s"}
MINUTE = 60.0


def told(what: str, spent: Counter[str]) -> None:
    most = ", ".join(f"{name} {count}" for name, count in spent.most_common(6))
    print(f"requests: {what}: {sum(spent.values())} ({most})")


def main() -> int:
    import time

    with sandbox():
        accelctl("setup")
        before = requests()
        with started(*counting("asked", steps=200_000), variables=REAL_PACE) as cli:
            until(lambda: any(machine["state"] == "running" for machine in ask("status")["machines"]), 60)
            told("per launch, machine and terminal together", requests() - before)
            begun, before = time.monotonic(), requests()
            until(lambda: time.monotonic() - begun >= MINUTE, MINUTE + 5)
            told("per minute of running, checkpoint each 0.5 s included", requests() - before)
            before = requests()
            ask("interrupt", instance="asked", notice="0")
            until(lambda: sum(m["state"] == "running" for m in ask("status")["machines"]) == 1, 60)
            told("per interruption, until the next machine is bought", requests() - before)
            cli.kill()
        accelctl("teardown", Job("asked").name, "--yes")
    return 0
