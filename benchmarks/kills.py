"""The whole sweep: accelctl killed before and after every request of a job. Limit: no job ends wrong. Minutes long."""

import sys

from benchmarks.sandboxed import sandbox
from provisioner.sandbox.client import ask
from tests.e2e.harness import Outcome, hurt, hurt_successor, prepared
from tests.e2e.proxy import Fault, Plan

STRIDE = 1
FIRST_REQUESTS = 5


def successors() -> list[Outcome]:
    """The process that takes over is killed at each of its first requests."""
    plans = [(at, Plan(fault=Fault.KILL_AFTER, at=at)) for at in range(1, FIRST_REQUESTS + 1)]
    outcomes = [hurt_successor(f"successor-{at}", plan) for at, plan in plans]
    return [outcome for outcome in outcomes if not outcome.right]


def main() -> int:
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else STRIDE
    wrong: list[Outcome] = []
    with sandbox():
        prepared()
        ask("consistency", seconds="1")
        whole = Plan()
        hurt("whole", whole)
        points = range(1, whole.seen + 1, stride)
        for at in points:
            for fault in (Fault.KILL_BEFORE, Fault.KILL_AFTER):
                outcome = hurt(f"{fault}-{at}", Plan(fault=fault, at=at))
                if not outcome.right:
                    wrong.append(outcome)
                    print(f"kills: wrong at request {at}, {fault}: {outcome}")
        wrong += successors()
    print(f"kills: {2 * len(points) + FIRST_REQUESTS} kills over {whole.seen} requests, {len(wrong)} wrong (limit 0)")
    return int(bool(wrong))
