"""Hurts accelctl at a chosen request of a chosen scene, lets `step` carry the job on, and looks at what is left."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from provisioner.sandbox.client import ask
from tests.e2e.jobs import Job, accelctl, left_of, machines, overlapping, started
from tests.e2e.proxy import Fault, Plan, proxy
from tests.sandbox.world import until

WITHIN = 240.0
LONG = 600
"""Steps of twelve seconds in all: on a busy computer a shorter job is over before anybody looks."""
LEASE = "1s"
"""A dead holder's, shorter than the job, so that its successor meets the living machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one job."""

    plan: Plan
    state: str
    """Empty where the job was never written down."""
    machines_at_once: bool
    left: list[str]
    uncounted: list[str]
    """Machines that were paid for and stand in no attempt of the record."""
    said: str
    ends: tuple[str, ...] = ("succeeded",)

    @property
    def right(self) -> bool:
        return self.state in ("", *self.ends) and not self.machines_at_once and not self.left and not self.uncounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is hurt: a command of a job, met in a certain situation."""

    victim: Callable[[str], list[str]]
    before: Callable[[str], None] = field(default=lambda _: None)
    interrupted: bool = False
    """The cloud takes the job's first machine back while it runs."""
    again: Callable[[str], None] = field(default=lambda _: None)
    """What its user does after the command was killed: gives it again."""
    ends: tuple[str, ...] = ("succeeded",)


def training(name: str, *flags: str, steps: int = 150) -> list[str]:
    """A job of its own name that outlives a dead holder's lease."""
    return [
        "spot-train", "--instance", "p4d.24xlarge", "--name", name, "--checkpoint-every", "1s", *flags,
        "--", "python", "count.py", "--steps", str(steps), "--pace", "0.02", "--save-every", "50",
    ]  # fmt: skip


def running(name: str) -> None:
    """The job runs on its first machine, long enough to be met there, and no process of ours looks after it."""
    assert accelctl(*training(name, "--detach", steps=LONG)).returncode == 0
    until(lambda: alive(name), WITHIN)


def lost(name: str) -> None:
    """Its machine is gone as well."""
    running(name)
    ask("interrupt", instance=name, notice="0")


def alive(name: str) -> list[str]:
    """The running machines of a job."""
    found = ask("status")["machines"]
    return [m["instance_id"] for m in found if m["labels"].get("accelctl:name") == name and m["state"] == "running"]


SCENES = {
    "train": Scene(victim=training, interrupted=True),
    "step": Scene(victim=lambda name: ["step", name, "--watch", "--every", "0.3s"], before=lost),
    "cancel": Scene(
        victim=lambda name: ["cancel", name, "--yes"], before=running, ends=("succeeded", "cancelled"),
        again=lambda name: repeated("cancel", name, "--yes"),
    ),
    "teardown": Scene(
        victim=lambda name: ["teardown", name, "--yes"], before=running, ends=("succeeded", "cancelled"),
        again=lambda name: repeated("teardown", name, "--yes"),
    ),
    "reap": Scene(victim=lambda _: ["reap", "--apply", "--yes"], before=lost),
}  # fmt: skip


def hurt(name: str, plan: Plan, scene: str = "train", *, mutant: str = "") -> Outcome:
    """Plays the scene behind the proxy, then steps the job to its end on the plain way."""
    played = SCENES[scene]
    played.before(name)
    over = threading.Event()
    thief = threading.Thread(target=taken_back, args=(name, over))
    if played.interrupted and not mutant:
        thief.start()
    try:
        said = behind(plan, *played.victim(name), mutant=mutant)
        played.again(name)
        return carried_on(name, plan, said, played.ends)
    finally:
        over.set()
        if thief.ident:
            thief.join()


def hurt_successor(name: str, plan: Plan) -> Outcome:
    """The first process is killed at its launch; then `step`, which takes over, is hurt as the plan says."""
    behind(Plan(fault=Fault.KILL_AFTER, only="RunInstances", at=1), *training(name))
    return carried_on(name, plan, behind(plan, "step", name))


def lose_machine(name: str, at: int) -> Outcome:
    """The machine's agent is gone at its n-th request, and the machine with it."""
    ask("lose", job=name, request=str(at))
    plan = Plan()
    return carried_on(name, plan, behind(plan, *training(name)))


def taken_back(name: str, over: threading.Event) -> None:
    """The cloud interrupts the first machine of the job that has been there for a moment."""
    while not over.wait(0.3):
        if alive(name):
            over.wait(1)
            if found := alive(name):
                ask("interrupt", instance=found[0], notice="0")
                return


def behind(plan: Plan, *arguments: str, mutant: str = "") -> str:
    """Runs a command behind the proxy to its end, however that comes; what it said."""
    module = "tests.e2e.mutants" if mutant else "provisioner"
    more = {"ACCELCTL_LEASE": LEASE, "ACCELCTL_TEST_MUTANT": mutant}
    with (
        proxy(os.environ["AWS_ENDPOINT_URL"], plan) as url,
        started(*arguments, module=module, variables=more | {"AWS_ENDPOINT_URL": url}) as cli,
    ):
        plan.victim = cli.pid
        return cli.communicate(timeout=WITHIN)[1]


def uncounted(job: dict[str, Any]) -> list[str]:
    known = {node["instance_id"] for attempt in job["attempts"] for node in attempt["nodes"]}
    return sorted({line["resource"] for line in machines(job["id"])} - known)


def repeated(*arguments: str) -> None:
    """The command, given until it has nothing to complain about."""
    until(lambda: accelctl(*arguments).returncode == 0, WITHIN)


def carried_on(name: str, plan: Plan, said: str, ends: tuple[str, ...] = ("succeeded",)) -> Outcome:
    """Steps until the job is over."""
    job = Job(name)

    def over() -> str:
        accelctl("step", name)
        found = job.status()
        return "none" if found is None else found["state"] if found["ended_at"] else ""

    state = until(over, WITHIN)
    found = job.status()
    return Outcome(
        plan=plan, state="" if state == "none" else state, said=said, ends=ends,
        machines_at_once=found is not None and overlapping(found["id"]),
        left=left_of(found["id"]) if found else [], uncounted=uncounted(found) if found else [],
    )  # fmt: skip


def prepared() -> None:
    """The region is set up, so that the sweep is about jobs."""
    assert accelctl("setup").returncode == 0
