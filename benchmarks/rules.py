"""The rules: judged resources per second, memory for a large plan, and what the pack adds to a preview.

The limits are the issue's own: 10,000 resources a second, 0.3 s beside the rules' own time. The peer of the preview is
the same preview of the same engine without the pack.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.sandboxed import sandbox
from provisioner.rules import configuration, documents, ruleset
from provisioner.rules.readers import reader_of
from tests.engine.project import ROOT, Project, engine, project
from tests.rules.cases import CASES, inputs_of

RESOURCES = 10_000
PER_SECOND = 10_000
ADDED = 0.3
RUNS = 5


def main() -> int:
    slow = speed()
    if reason := engine():
        print(f"rules: preview not measured: {reason}")
        return int(slow)
    with sandbox():
        return int(slow | preview())


def speed() -> bool:
    """Whether the rules are slower than their limit."""
    allowed, now = configuration.load("development"), datetime.now(UTC)
    readers = [reader for case in CASES if (reader := reader_of(case["token"]))]
    assert len(readers) == len(CASES)
    held = [documents.plain(inputs_of(case)) for case in CASES]
    start = time.perf_counter()
    for number in range(RESOURCES):
        one = number % len(CASES)
        list(ruleset.judge(readers[one](f"r{number}", held[one]), allowed, now))
    rate = RESOURCES / (time.perf_counter() - start)
    print(f"rules: {rate:,.0f} resources/s over {RESOURCES:,} (limit {PER_SECOND:,}): {rate / PER_SECOND:.1f} x")
    print(f"rules: `accelctl check` of {RESOURCES:,} resources: {checked():.0f} MiB at its peak")
    return rate < PER_SECOND


def checked() -> float:
    """Peak MiB of the command over a plan of that size."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        steps = [
            {
                "op": "create",
                "newState": {"urn": f"a::b::c::r{number}", "type": case["token"], "inputs": inputs_of(case)},
            }
            for number in range(RESOURCES)
            for case in [CASES[number % len(CASES)]]
        ]
        plan.write_text(json.dumps({"steps": steps}))
        command = [sys.executable, "-m", "provisioner", "check", str(plan), "--output", "json"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def preview() -> bool:
    """Whether the pack adds more to a preview than its limit."""
    with tempfile.TemporaryDirectory() as folder:
        stack = project(Path(folder), "aws-p5")
        bare = median(stack)
        judged = median(stack, "--policy-pack", str(ROOT / "policies"))
    added = judged - bare
    print(f"rules: preview of aws-p5 {bare:.2f} s, with the pack {judged:.2f} s")
    print(f"rules: the pack adds {added:.2f} s (limit {ADDED} s and the rules): ratio {judged / bare:.2f}")
    return added > ADDED


def median(stack: Project, *flags: str) -> float:
    times: list[float] = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        stack.run("preview", *flags)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
