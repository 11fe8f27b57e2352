"""The whole of it: accelctl hurt at every request of a job and of a sweep, its machine lost at each of the agent's.

Limit: no job ends wrong. `python -m benchmarks kills [EVERY [FAULT… SCENE…]]` plays every n-th request, or some of it.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from subprocess import TimeoutExpired

from benchmarks.sandboxed import sandbox
from provisioner.sandbox.client import ask
from tests.e2e.harness import SCENES, Outcome, hurt, hurt_successor, lose_machine, prepared
from tests.e2e.proxy import Fault, Plan
from tests.estate.killed import Played, hurt_sweep

KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)
WRONG_ANSWERS = (Fault.ERROR_500, Fault.ERROR_503, Fault.THROTTLED, Fault.LOST_ANSWER, Fault.TRUNCATED)
FIRST_REQUESTS = 5
UNANSWERED = ("PUT /accelctl-", "CreateRole", "RunInstances", "DescribeInstances", "DeleteRole")
"""A client waits a minute before it gives up: these stand for the rest."""
AT_ONCE = 4
TOLD_EVERY = 40
SWEEP = "sweep"
"""The scene of machines that are marked and ended, over an estate that is answered from tables."""

Case = tuple[str, Callable[[], Outcome | Played]]


def cases(every: int, faults: list[Fault], scenes: list[str]) -> Iterator[Case]:
    """A name and what is played under it, for every n-th request."""
    for scene in [one for one in scenes if one != SWEEP] or ([] if scenes else SCENES):
        whole = Plan()
        hurt(f"whole-{scene}", whole, scene)
        print(f"kills: {scene} makes {whole.seen} requests", flush=True)
        for at in range(1, whole.seen + 1, every):
            for fault in faults:
                if fault in KILLS or scene == "train":
                    name = f"{scene}-{fault}-{at}"
                    yield name, partial(hurt, name, Plan(fault=fault, at=at), scene)
    if SWEEP in scenes or not scenes:
        yield from sweeps(every)
    if not scenes:
        yield from others(every)


def sweeps(every: int) -> Iterator[Case]:
    """Killed before and after every n-th request of a sweep."""
    requests = hurt_sweep().requests
    print(f"kills: {SWEEP} makes {requests} requests", flush=True)
    for at in range(1, requests + 1, every):
        for after in (False, True):
            yield f"{SWEEP}-{'after' if after else 'before'}-{at}", partial(hurt_sweep, at=at, after=after)


def others(every: int) -> Iterator[Case]:
    """Successors, calls that nobody answers, and the agent."""
    for at in range(1, FIRST_REQUESTS + 1):
        yield f"successor-{at}", partial(hurt_successor, f"successor-{at}", Plan(fault=Fault.KILL_AFTER, at=at))
    for only in UNANSWERED:
        name = f"unanswered-{only.split()[0].lower()}"
        yield name, partial(hurt, name, Plan(fault=Fault.NO_ANSWER, only=only, at=1))
    for at in range(1, agent_requests() + 1, every):
        yield f"agent-{at}", partial(lose_machine, f"agent-{at}", at)


def agent_requests() -> int:
    """How many requests the machine of a whole job makes."""
    lose_machine("agent", 0)
    asked = max(m["requests"] for m in ask("status")["machines"] if m["labels"].get("accelctl:name") == "agent")
    print(f"kills: the agent makes {asked} requests", flush=True)
    return asked


def judged(case: Case) -> bool:
    name, play = case
    try:
        outcome = play()
    except (AssertionError, TimeoutExpired) as stuck:
        print(f"kills: wrong: {name} never ended: {stuck}", flush=True)
        return False
    if not outcome.right:
        print(f"kills: wrong: {name}: {outcome}", flush=True)
    return outcome.right


def main() -> int:
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    faults = [Fault(name) for name in sys.argv[3:] if name not in (*SCENES, SWEEP)] or [*KILLS, *WRONG_ANSWERS]
    scenes = [name for name in sys.argv[3:] if name in (*SCENES, SWEEP)]
    verdicts: list[bool] = []
    with sandbox(), ThreadPoolExecutor(AT_ONCE) as pool:
        prepared()
        ask("consistency", seconds="1")
        todo = cases(every, faults, scenes)
        while batch := list(islice(todo, AT_ONCE)):
            verdicts += pool.map(judged, batch)
            if len(verdicts) % TOLD_EVERY == 0:
                print(f"kills: {len(verdicts)} jobs so far, {verdicts.count(False)} wrong", flush=True)
    print(f"kills: {len(verdicts)} jobs hurt, {verdicts.count(False)} wrong (limit 0)")
    return int(not all(verdicts))
