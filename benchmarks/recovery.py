"""Seconds from the end of a machine to the program running again, split by cause, beside the wait between two looks."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from benchmarks.sandboxed import sandbox
from provisioner.sandbox.client import ask
from tests.e2e.jobs import Job, accelctl, counting, started
from tests.sandbox.world import aws, until


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def heartbeat(job: str) -> dict[str, Any] | None:
    """The second machine's own report, once its program runs."""
    s3 = aws("s3")
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith("accelctl-"))
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job}/attempts/2/nodes/0.json").get("Contents")
    told: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()) if found else {}
    return told if "started_at" in told else None


def next_machine(old: str) -> bool:
    return any(m["state"] in ("pending", "running") and m["instance_id"] != old for m in ask("status")["machines"])


def measured(job: Job) -> list[tuple[str, datetime]]:
    """What happened when, from the end of the first machine on."""
    first = job.running(1)
    ended = datetime.now(UTC)
    old = ask("interrupt", instance=first["id"], notice="0")["instance_id"]
    until(lambda: next_machine(old), 60)
    bought = datetime.now(UTC)
    told = until(lambda: heartbeat(first["id"]), 60)
    return [
        ("", ended), ("noticed, and the next machine bought,", bought),
        ("booted", moment(told["booted_at"])), ("restored and running", moment(told["started_at"])),
    ]  # fmt: skip


def main() -> int:
    with sandbox():
        accelctl("setup")
        with started(*counting("recovered", steps=100_000)) as cli:
            happened = measured(Job("recovered"))
            cli.kill()
        accelctl("teardown", "recovered", "--yes")
    for (_, before), (what, at) in pairwise(happened):
        print(f"recovery: {what} after {max((at - before).total_seconds(), 0):.2f} s")
    whole = (happened[-1][1] - happened[0][1]).total_seconds()
    print(f"recovery: {whole:.2f} s in all; the look every 0.3 s is {0.3 / whole:.0%} of it")
    return 0
