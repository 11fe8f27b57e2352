"""Kills accelctl at a chosen request, lets `step` carry the job on, and looks at what is left."""

import os
from dataclasses import dataclass

from tests.e2e.jobs import Job, accelctl, left_of, overlapping, started
from tests.e2e.proxy import Fault, Plan, proxy
from tests.sandbox.world import until

WITHIN = 60.0
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
    said: str

    @property
    def right(self) -> bool:
        return self.state in ("", "succeeded") and not self.machines_at_once and not self.left


def command(name: str) -> list[str]:
    """A job of its own name that outlives a dead holder's lease."""
    return [
        "spot-train", "--instance", "p4d.24xlarge", "--name", name, "--checkpoint-every", "1s",
        "--", "python", "count.py", "--steps", "150", "--pace", "0.02", "--save-every", "50",
    ]  # fmt: skip


def hurt(name: str, plan: Plan, *, mutant: str = "") -> Outcome:
    """Runs a job behind the proxy, then steps it to its end on the plain way."""
    return carried_on(name, plan, behind(plan, *command(name), mutant=mutant))


def hurt_successor(name: str, plan: Plan) -> Outcome:
    """The first process is killed at its launch; then `step`, which takes over, is hurt as the plan says."""
    behind(Plan(fault=Fault.KILL_AFTER, only="RunInstances", at=1), *command(name))
    return carried_on(name, plan, behind(plan, "step"))


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


def carried_on(name: str, plan: Plan, said: str) -> Outcome:
    """Steps until the job is over."""
    job = Job(name)

    def over() -> str:
        accelctl("step")
        found = job.status()
        return "none" if found is None else found["state"] if found["ended_at"] else ""

    state = until(over, WITHIN)
    found = job.status()
    return Outcome(
        plan=plan, state="" if state == "none" else state, said=said,
        machines_at_once=found is not None and overlapping(found["id"]),
        left=left_of(found["id"]) if found else [],
    )  # fmt: skip


def prepared() -> None:
    """The region is set up, so that the sweep is about jobs."""
    assert accelctl("setup").returncode == 0
