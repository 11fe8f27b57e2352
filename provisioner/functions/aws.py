"""The Lambda: a round on its schedule; on a machine's interruption warning, its job until it runs again.

Settings come from ACCELCTL_* variables. ACCELCTL_REAP is `report` (change nothing) or `apply`.
Event shapes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from provisioner.catalog.labels import JOB, MANAGED, MANAGED_VALUE
from provisioner.clouds.base import CloudProvider
from provisioner.domain.contract import plain
from provisioner.domain.jobs import JobRecord
from provisioner.errors import CloudError, ConfigError, InstanceNotFound
from provisioner.jobs.lookouts import mark
from provisioner.reaper.activity import Verdict
from provisioner.reaper.round import Round
from provisioner.reaper.view import machine_document, other_document, summary, told_document
from provisioner.workplace import STORELESS, Workplace, holder

WARNING = "EC2 Spot Instance Interruption Warning"
SPARE = timedelta(seconds=15)
"""Kept of the time limit, to end well."""
COUNTED = ("seen", *Verdict, "acted")
MODES = ("report", "apply")


class Context(Protocol):
    """What Lambda tells of an invocation."""

    aws_request_id: str
    function_name: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """One invocation. Raises where something could not be done, so that Lambda counts it as failed."""

    def enough() -> bool:
        return timedelta(milliseconds=context.get_remaining_time_in_millis()) < SPARE

    place, apply = Workplace(), wanted_mode() == "apply"
    stored = place.cloud.job_store() is not None
    if not stored:
        log("store", {"reason": STORELESS})
    elif apply:
        mark(place.objects, place.clock.now(), holder=holder(), name=context.function_name)
    if event.get("detail-type") == WARNING:
        return recovered(place, event, enough, steps=stored and apply)
    rounds = place.rounds(context.aws_request_id[:8], enough=enough, remembers=stored)
    return told(place, rounds.run(place.inhabited(), apply=apply))


def wanted_mode() -> str:
    """Raises ConfigError for what is neither."""
    mode = os.environ.get("ACCELCTL_REAP", "report")
    if mode not in MODES:
        raise ConfigError(f"ACCELCTL_REAP is '{mode}'.", hint=f"it is one of {', '.join(MODES)}.")
    return mode


def told(place: Workplace, done: Round) -> dict[str, Any]:
    """One log line for each machine, other thing and message; the summary is the answer, and the metrics of its own."""
    for one in done.report.machines:
        log("machine", machine_document(one))
    for other in done.others:
        log("other", other_document(other))
    for message in done.report.told:
        log("told", told_document(message))
    found = summary(done.report)
    log("summary", found)
    figures: dict[str, float] = {f"Machines{name.title().replace('-', '')}": found[name] for name in COUNTED}
    if done.history:
        figures["OldestUnknownSeconds"] = done.history.age_of_oldest(done.report.at).total_seconds()
    place.cloud.publish(figures)
    if done.failed:
        raise CloudError(f"{len(done.failed)} of this run could not be done or seen: {done.failed[0]}")
    place.cloud.publish({"Success": 1})
    return json.loads(json.dumps(found, default=plain))


def log(what: str, document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"what": what} | document, default=plain) + "\n")


def recovered(place: Workplace, event: dict[str, Any], enough: Callable[[], bool], *, steps: bool) -> dict[str, Any]:
    """Steps the machine's job until another machine has it, the job is over, or time runs out; or only names it."""
    machine = event["detail"]["instance-id"]
    job = job_of(place.cloud, machine, event["region"])
    if not job or not steps:
        return {"machine": machine, "job": job or None}
    while True:
        stepped = place.stepper.step(job)
        wait = max(stepped.wait_until - place.clock.now(), timedelta(milliseconds=100))
        if settled(stepped.record, machine) or enough():
            break
        place.clock.sleep(min(wait, SPARE))
    place.stepper.release(job)
    log("job", {"id": job, "machine": machine, "state": stepped.record.state, "reason": stepped.decision.reason})
    return {"machine": machine, "job": job, "state": str(stepped.record.state)}


def job_of(cloud: CloudProvider, machine: str, region: str) -> str:
    """Empty where it is not ours, or no job's."""
    try:
        labels = cloud.get(machine, region=region).labels
    except InstanceNotFound:
        return ""
    return labels.get(JOB, "") if labels.get(MANAGED) == MANAGED_VALUE else ""


def settled(record: JobRecord, machine: str) -> bool:
    """The job runs elsewhere, or is over."""
    newest = record.attempt
    held = {node.instance_id for node in newest.nodes} if newest else set[str]()
    return record.ended_at is not None or (bool(held) and machine not in held)
