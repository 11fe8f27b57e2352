"""What a machine is told at launch, and what it finds in the store: the two documents of docs/job-layout.md."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import timedelta

from provisioner.domain.jobs import Attempt, JobRecord, JobSpec
from provisioner.jobs.records import prefix

UserData = Callable[[Mapping[str, object]], str]
"""Turns a boarding pass into the script that a machine boots with."""

LAST_RESORT = timedelta(minutes=5)
"""After its deadline, its grace and its last upload a machine that still runs is switched off by a timer."""


def boarding_pass(record: JobRecord, attempt: Attempt) -> dict[str, object]:
    """The same for the same attempt, whoever asks: a repeated launch must not differ by a byte."""
    assert attempt.deadline is not None  # noqa: S101 - every intended attempt has one
    pace, meant = record.spec.pace, attempt.deadline - attempt.intended_at
    return {
        "version": 1, "job": record.id, "attempt": attempt.number, "token": attempt.token, "rank": 0, "nodes": 1,
        "bucket": record.store.partition("://")[2], "region": record.store_region, "prefix": prefix(record.id),
        "agent": {"key": record.agent.key, "sha256": record.agent.sha256},
        "stop_after_minutes": minutes(meant), "last_upload_seconds": pace.last_upload.total_seconds(),
        "max_minutes": minutes(meant + pace.stop_grace + pace.last_upload + LAST_RESORT),
        "way": str(attempt.offerings[0].way.kind),
    }  # fmt: skip


def minutes(duration: timedelta) -> int:
    """Rounded up, as `shutdown` takes them."""
    return math.ceil(duration / timedelta(minutes=1))


def task(job: str, spec: JobSpec) -> bytes:
    """`task.json`."""
    workdir = spec.workdir
    return json.dumps(
        {
            "version": 1, "job": job, "name": spec.name, "command": list(spec.command), "setup": spec.setup,
            "environment": dict(spec.environment), "secrets": dict(spec.secrets),
            "workdir": {"key": workdir.key, "sha256": workdir.sha256, "bytes": workdir.bytes} if workdir else None,
            "checkpoint_dir": spec.checkpoint_dir, "outputs_dir": spec.outputs_dir,
            "checkpoint_every_seconds": spec.checkpoint_every.total_seconds(),
            "heartbeat_every_seconds": spec.pace.heartbeat_every.total_seconds(),
            "stop_grace_seconds": spec.pace.stop_grace.total_seconds(),
            "settle_seconds": spec.pace.settle.total_seconds(),
        },
        indent=1,
    ).encode()  # fmt: skip
