"""EventBridge Scheduler's one-time schedules come due: moto keeps them and starts nothing.

A due schedule calls the API that its universal target names, with the credentials of its role, so that the role's
policy decides as it would on AWS. https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
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
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap

AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
UNIVERSAL = re.compile(r"arn:aws:scheduler:::aws-sdk:(\w+):(\w+)")


class Schedules:
    """Starts what is due, by the sandbox's clock. `url` gives the sandbox's own address."""

    def __init__(self, clock: SandboxClock, url: Callable[[], str]) -> None:
        self._clock, self._url = clock, url
        self.failed: list[str] = []
        """What targets refused, as a dead letter would hold it."""

    def install(self) -> None:
        wrap(EventBridgeSchedulerBackend, "create_schedule", self._kept)
        wrap(EventBridgeSchedulerBackend, "update_schedule", self._kept)

    def _kept(self, original: Any, backend: EventBridgeSchedulerBackend, **asked: Any) -> Schedule:
        refuse_role(asked["target"]["RoleArn"])
        schedule = original(backend, **asked)
        schedule.state = schedule.state or "ENABLED"  # moto's update forgets it
        if due := AT.fullmatch(schedule.schedule_expression):
            zone = ZoneInfo(schedule.schedule_expression_timezone)
            moment = datetime.fromisoformat(due[1]).replace(tzinfo=zone)
            expression = schedule.schedule_expression
            self._clock.at(moment, lambda: self._due(backend, schedule, expression))
        return schedule

    def _due(self, backend: EventBridgeSchedulerBackend, schedule: Schedule, expression: str) -> None:
        """Unless it was deleted, switched off or moved meanwhile."""
        group = backend.schedule_groups.get(schedule.group_name)
        current = group.schedules.get(schedule.name) if group else None
        if current is schedule and schedule.state == "ENABLED" and schedule.schedule_expression == expression:
            threading.Thread(target=self._start, args=[backend, schedule], daemon=True).start()

    def _start(self, backend: EventBridgeSchedulerBackend, schedule: Schedule) -> None:
        try:
            self._call(backend.region_name, schedule.target)
        except Exception as error:  # noqa: BLE001 - whatever the target says is its dead letter
            self.failed.append(f"{schedule.name}: {error}")
        if schedule.action_after_completion == "DELETE":
            with contextlib.suppress(Exception):
                backend.delete_schedule(schedule.group_name, schedule.name)

    def _call(self, region: str, target: dict[str, Any]) -> None:
        import boto3
        from moto.sts.models import sts_backends

        named = UNIVERSAL.fullmatch(target["Arn"])
        if named is None:
            raise NotImplementedError(f"the sandbox starts no {target['Arn']}")
        sts = sts_backends[DEFAULT_ACCOUNT_ID]["aws"]
        held = sts.assume_role(region, "scheduler", target["RoleArn"], "", 3600, "")
        session = boto3.Session(held.access_key_id, held.secret_access_key, held.session_token, region)
        client: Any = session.client(named[1], endpoint_url=self._url())  # pyright: ignore - any service
        getattr(client, xform_name(named[2]))(**json.loads(target.get("Input") or "{}"))


def refuse_role(arn: str) -> None:
    """AWS looks at the role when a schedule is made."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    role = next((role for role in iam.roles.values() if role.arn == arn), None)
    if role is None or "scheduler.amazonaws.com" not in json.dumps(role.assume_role_policy_document):
        raise ValidationException(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        )
