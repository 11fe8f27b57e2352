"""What nothing uses and no table of ours holds: schedules whose machines are gone, and what others forgot."""

import json
from collections.abc import Iterator
from typing import Any

from provisioner.catalog import labels
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.kinds import BY_NAME
from provisioner.clouds.aws.listings import state_of, still_there
from provisioner.clouds.aws.sessions import Sessions, rows
from provisioner.domain.leftovers import Leftover

TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
FORGOTTEN = {"volume": "available", "address": "unused", "network-interface": "available", "spot-request": "open"}
"""Kinds that cost or confuse while nothing uses them, and the state in which nothing does."""


def forgotten(sessions: Sessions, region: str) -> Iterator[Leftover]:
    """Of everybody but us."""
    ec2 = sessions.ec2(region)
    for name, state in FORGOTTEN.items():
        kind = BY_NAME[name]
        for item in rows(ec2, kind.describe, kind.items):
            held = tags.read(item.get("Tags"))
            if labels.MANAGED not in held and state_of(item) == state:
                yield Leftover(
                    kind=name, id=item[kind.id], region=region, labels=held, order=kind.order, state=state,
                    price_per_hour=kind.price(item, region),
                )  # fmt: skip


def pointless(sessions: Sessions, region: str) -> Iterator[Leftover]:
    """Schedules of ours that would end machines, of which none is left."""
    scheduler = sessions.client("scheduler", region)
    with translated("scheduler:ListSchedules"):
        pages = scheduler.get_paginator("list_schedules").paginate()
        ending = [one for page in pages for one in page["Schedules"] if one["Target"]["Arn"] == TERMINATE]
    for one in ending:
        held = marks(scheduler, one)
        if labels.MANAGED in held and not still_there(sessions.ec2(region), targets(scheduler, one)):
            yield Leftover(
                kind="schedule", id=one["Name"], region=region, labels=held, order=0, state=one.get("State", "")
            )  # fmt: skip


def marks(scheduler: Any, schedule: dict[str, Any]) -> dict[str, str]:
    """Of its group: a schedule carries none itself."""
    group = schedule["Arn"].replace(":schedule/", ":schedule-group/").rpartition("/")[0]
    with translated("scheduler:ListTagsForResource"):
        return tags.read(scheduler.list_tags_for_resource(ResourceArn=group)["Tags"])


def targets(scheduler: Any, schedule: dict[str, Any]) -> list[str]:
    with translated("scheduler:GetSchedule"):
        found = scheduler.get_schedule(GroupName=schedule["GroupName"], Name=schedule["Name"])
    return list(json.loads(found["Target"].get("Input") or "{}").get("InstanceIds", []))
