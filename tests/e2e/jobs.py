"""Running accelctl as its user does, against the sandbox of the test process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from provisioner.sandbox.client import ask
from tests.sandbox.world import until

EXAMPLES = Path(__file__).parents[2] / "examples"
TYPE = "p4d.24xlarge"
QUICK = {
    "ACCELCTL_POLL_EVERY": "0.3s", "ACCELCTL_HEARTBEAT_EVERY": "0.5s", "ACCELCTL_SETTLE": "2s", "ACCELCTL_LEASE": "4s",
    "ACCELCTL_FIRST_PAUSE": "0.5s", "ACCELCTL_REFUSAL": "2s", "ACCELCTL_STOP_GRACE": "5s", "ACCELCTL_OWNER": "tester",
}  # fmt: skip
"""A cloud that takes seconds is looked at more often."""


def environment(**more: str) -> dict[str, str]:
    """The test's own environment leads to the sandbox; the project's settings files are out of reach."""
    return dict(os.environ) | QUICK | {"PYTHONPATH": str(EXAMPLES.parent)} | more


def accelctl(
    *arguments: str, cwd: Path = EXAMPLES, timeout: float = 120, **more: str
) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "provisioner", *arguments],
        capture_output=True, text=True, timeout=timeout, cwd=cwd, env=environment(**more), stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip


@contextmanager
def started(
    *arguments: str, module: str = "provisioner", variables: Mapping[str, str] = MappingProxyType({})
) -> Generator[subprocess.Popen[str]]:
    """One command, running for as long as the block; its words are kept for `communicate`."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=EXAMPLES, env=environment(**variables),
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def counting(name: str, *flags: str, steps: int = 200, pace: float = 0.02, save_every: int = 40) -> list[str]:
    """spot-train of the counting example."""
    return [
        "spot-train", "--instance", TYPE, "--name", name, "--checkpoint-every", "0.5s", *flags,
        "--", "python", "count.py", "--steps", str(steps), "--pace", str(pace), "--save-every", str(save_every),
    ]  # fmt: skip


@dataclass
class Job:
    """A job by name, as `status` and the sandbox show it."""

    name: str

    def status(self) -> dict[str, Any] | None:
        done = accelctl("status", self.name, "--no-step", "--output", "json")
        return json.loads(done.stdout)["jobs"][0] if done.returncode == 0 and done.stdout else None

    def holds(self, fact: Callable[[dict[str, Any]], Any], seconds: float = 60) -> dict[str, Any]:
        """Its status once the fact is true of it."""
        return until(lambda: (found := self.status()) and fact(found) and found, seconds)

    def running(self, attempt: int) -> dict[str, Any]:
        """Its status once that attempt runs and has saved something of its own."""

        def saved(job: dict[str, Any]) -> bool:
            last, checkpoint = (job["attempts"] or [None])[-1], job["checkpoint"]
            return bool(
                last and last["number"] == attempt and last["state"] == "running"
                and checkpoint and checkpoint["attempt"] == attempt
            )  # fmt: skip

        return self.holds(saved)

    def result(self, folder: Path) -> dict[str, Any]:
        """outputs/result.json, fetched."""
        done = accelctl("fetch", self.name, str(folder), "--outputs", "outputs")
        assert done.returncode == 0, done.stderr
        return json.loads((folder / "outputs" / "result.json").read_text())


def machines(job: str) -> list[dict[str, Any]]:
    """Every machine that the job ever had, oldest first, from the sandbox's ledger."""
    return [line for line in ask("ledger", job=job)["lines"] if line["kind"] == "machine"]


def overlapping(job: str) -> bool:
    """Whether two machines of the job were ever there at once."""
    spans = sorted((line["from"], line["to"]) for line in machines(job))
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def billed(job: str, kind: str) -> Decimal:
    return sum((Decimal(line["usd"]) for line in ask("ledger", job=job)["lines"] if line["kind"] == kind), Decimal(0))


def left_of(job: str) -> list[str]:
    """What still exists for the job: machines that live, roles and profiles on our path, templates, open requests."""
    from tests.sandbox.world import aws

    mine = [machine for machine in ask("status")["machines"] if machine["labels"].get("accelctl:job") == job]
    alive = [machine["instance_id"] for machine in mine if machine["state"] not in ("shutting-down", "terminated")]
    iam, ec2 = aws("iam"), aws("ec2")
    roles = [r["RoleName"] for r in iam.list_roles(PathPrefix="/accelctl/jobs/")["Roles"] if job in r["RoleName"]]
    profiles = iam.list_instance_profiles(PathPrefix="/accelctl/jobs/")["InstanceProfiles"]
    labelled = [{"Name": "tag:accelctl:job", "Values": [job]}]
    requests = [
        r["SpotInstanceRequestId"]
        for r in ec2.describe_spot_instance_requests(Filters=labelled)["SpotInstanceRequests"]
        if r["State"] in ("open", "active")
    ]
    templates = [t["LaunchTemplateId"] for t in ec2.describe_launch_templates(Filters=labelled)["LaunchTemplates"]]
    volumes = [v["VolumeId"] for v in ec2.describe_volumes(Filters=labelled)["Volumes"]]
    names = [p["InstanceProfileName"] for p in profiles if job in p["InstanceProfileName"]]
    return [*alive, *roles, *names, *requests, *templates, *volumes]
