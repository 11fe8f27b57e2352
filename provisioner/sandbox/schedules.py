"""EventBridge Scheduler's schedules come due, once or again and again: moto keeps them and starts nothing.

A due schedule calls the API that its universal target names, or the function that it names, with the credentials of
its role, so that the role's policy decides as it would on AWS. https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

import contextlib
import json
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from botocore import xform_name
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, ScheduleGroup

from provisioner.sandbox import letters
from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap
from provisioner.sandbox.recurrence import next_after

AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
UNIVERSAL = re.compile(r"arn:aws:scheduler:::aws-sdk:(\w+):(\w+)")


class Schedules:
    """Starts what is due, by the sandbox's clock. `client` gives one for a service, a region and a role."""

    def __init__(self, clock: SandboxClock, client: Callable[[str, str, str], Any]) -> None:
        self._clock, self._client = clock, client
        self.failed: list[str] = []
        """What targets refused, as a dead letter would hold it."""

    def install(self) -> None:
        wrap(EventBridgeSchedulerBackend, "create_schedule", self._kept)
        wrap(EventBridgeSchedulerBackend, "update_schedule", self._kept)
        wrap(EventBridgeSchedulerBackend, "create_schedule_group", self._dated)

    def _dated(self, original: Any, backend: EventBridgeSchedulerBackend, **asked: Any) -> ScheduleGroup:
        group = original(backend, **asked)
        group.created_on = group.last_modified = self._clock.timestamp()
        return group

    def _kept(self, original: Any, backend: EventBridgeSchedulerBackend, **asked: Any) -> Schedule:
        refuse_target(asked["target"]["Arn"])
        refuse_role(asked["target"]["RoleArn"])
        schedule = original(backend, **asked)
        schedule.state = schedule.state or "ENABLED"  # moto's update forgets it
        self._plan(backend, schedule)
        return schedule

    def _plan(self, backend: EventBridgeSchedulerBackend, schedule: Schedule) -> None:
        expression, zone = schedule.schedule_expression, schedule.schedule_expression_timezone or "UTC"
        if due := AT.fullmatch(expression):
            moment = datetime.fromisoformat(due[1]).replace(tzinfo=ZoneInfo(zone))
        else:
            moment = next_after(expression, zone, self._clock.now())
        if moment:
            self._clock.at(moment, lambda: self._due(backend, schedule, expression))

    def _due(self, backend: EventBridgeSchedulerBackend, schedule: Schedule, expression: str) -> None:
        """Unless it was deleted, switched off or moved meanwhile."""
        group = backend.schedule_groups.get(schedule.group_name)
        current = group.schedules.get(schedule.name) if group else None
        if current is schedule and schedule.schedule_expression == expression:
            if not AT.fullmatch(expression):
                self._plan(backend, schedule)
            if schedule.state != "ENABLED":
                return
            threading.Thread(target=self._start, args=[backend, schedule], daemon=True).start()

    def _start(self, backend: EventBridgeSchedulerBackend, schedule: Schedule) -> None:
        try:
            self._call(backend.region_name, schedule.target)
        except Exception as error:  # noqa: BLE001 - whatever the target says is its dead letter
            self.failed.append(f"{schedule.name}: {error}")
            if queue := (schedule.target.get("DeadLetterConfig") or {}).get("Arn"):
                said = json.loads(schedule.target.get("Input") or "{}")
                lost = letters.keep(self._client, schedule.target["RoleArn"], queue, said, str(error))
                self.failed += [lost] if lost else []
        if schedule.action_after_completion == "DELETE" and AT.fullmatch(schedule.schedule_expression):
            with contextlib.suppress(Exception):
                backend.delete_schedule(schedule.group_name, schedule.name)

    def _call(self, region: str, target: dict[str, Any]) -> None:
        arn, said = target["Arn"], target.get("Input") or "{}"
        if named := UNIVERSAL.fullmatch(arn):
            client = self._client(named[1], region, target["RoleArn"])
            getattr(client, xform_name(named[2]))(**json.loads(said))
        else:
            client = self._client("lambda", region, target["RoleArn"])
            client.invoke(FunctionName=arn, InvocationType="Event", Payload=said.encode())


def refuse_target(arn: str) -> None:
    """Queues, tasks and the like are AWS's to start: better refused here than silently never started."""
    if ":lambda:" not in arn and not UNIVERSAL.fullmatch(arn):
        raise ValidationException(f"The sandbox starts functions and universal targets only, and no {arn}.")


def refuse_role(arn: str) -> None:
    """AWS looks at the role when a schedule is made."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    role = next((role for role in iam.roles.values() if role.arn == arn), None)
    if role is None or "scheduler.amazonaws.com" not in json.dumps(role.assume_role_policy_document):
        raise ValidationException(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        )
