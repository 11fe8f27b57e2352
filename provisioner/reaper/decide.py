"""What to do about one machine. Pure: what was observed in, an action with its reason and evidence out.

The rules of stopping and ending are EC2's: a one-time spot machine cannot be stopped; a member of a group is replaced;
a machine of a persistent request comes back; a capacity block is paid for whether it is used or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from provisioner.catalog import labels
from provisioner.domain.estate import Metric, OwnerKind, Tenure
from provisioner.domain.instances import Instance, InstanceState
from provisioner.reaper.activity import Found, Verdict, activity, fresh, minutes
from provisioner.reaper.observed import Heartbeat, JobStanding, Mark, Observed
from provisioner.reaper.thresholds import Thresholds

DAY = 24
ENDED = (InstanceState.STOPPING, InstanceState.STOPPED, InstanceState.TERMINATED)


class Action(StrEnum):
    """What is done."""

    KEEP = "keep"
    MARK = "mark"
    UNMARK = "unmark"
    STOP = "stop"
    TERMINATE = "terminate"
    SCALE_OWNER = "scale-owner"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The action, why, on what evidence, and not before when. Money is USD; None where the price is not known."""

    verdict: Verdict
    action: Action
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    not_before: datetime | None = None
    saves_per_day: Decimal | None = None
    loses: tuple[str, ...] = ()
    defect: bool = False


def decide(seen: Observed, thresholds: Thresholds, now: datetime) -> Decision:
    """What to do about this machine now. Never raises: one that nobody can judge is kept and named, and stops none."""
    try:
        return judged(seen, thresholds, now)
    except Exception as defect:  # noqa: BLE001 - a defect of ours is this machine's, never the round's
        reason = f"it cannot be judged, by a defect of accelctl: {type(defect).__name__}: {defect}"
        return Decision(verdict=Verdict.UNKNOWN, action=Action.KEEP, reason=reason, defect=True)


def judged(seen: Observed, thresholds: Thresholds, now: datetime) -> Decision:
    if seen.instance.state in ENDED:
        found = Found(verdict=Verdict.IDLE, reason=f"it is {seen.instance.state} already{disks_cost(seen)}")
        return told(seen, Action.KEEP, found, saves=False)
    found = standing(seen, thresholds, now)
    if found.verdict in (Verdict.BUSY, Verdict.UNKNOWN, Verdict.SUSPECT):
        return left_alone(seen, found)
    if reprieve := kept_until(seen, thresholds, now):
        return told(seen, Action.KEEP, replace(found, reason=f"{found.reason}, but {reprieve}"))
    if seen.tenure in (Tenure.CAPACITY_BLOCK, Tenure.RESERVED):
        prepaid = f"{found.reason}; the {seen.tenure} is paid for whether it is used or not"
        return told(seen, Action.REPORT, replace(found, reason=prepaid), saves=False)
    return in_two_phases(seen, found, thresholds, now)


def disks_cost(seen: Observed) -> str:
    """Only its end frees a stopped machine's disks."""
    stops = seen.instance.state in (InstanceState.STOPPING, InstanceState.STOPPED)
    return "; its disks and addresses cost on until it is terminated" if stops and not seen.instance_store_root else ""


def settled(seen: Observed, thresholds: Thresholds, now: datetime) -> bool:
    """Nothing more that could be measured would change what is decided."""
    if seen.instance.state in ENDED or doubt(seen):
        return True
    return decide(seen, thresholds, now).verdict in (Verdict.BUSY, Verdict.PAST_END)


def standing(seen: Observed, thresholds: Thresholds, now: datetime) -> Found:
    """What labels and record say comes first; what the machine does, second."""
    if why := doubt(seen):
        return Found(verdict=Verdict.UNKNOWN, reason=why)
    ends = moment(seen, labels.EXPIRES_AT)
    if ends is not None and now - thresholds.limits.end_grace > ends:
        return Found(verdict=Verdict.PAST_END, reason=f"its end was {ends:%Y-%m-%d %H:%M} UTC")
    found = activity(seen, thresholds, now)
    if seen.job is JobStanding.ELSEWHERE and found.verdict is not Verdict.BUSY:
        return Found(verdict=Verdict.UNKNOWN, reason=f"its job lives in the store {seen.instance.labels[labels.STORE]}")
    old_enough = now - seen.instance.launched_at >= thresholds.limits.minimum_age
    if seen.job is not JobStanding.OVER or not old_enough or found.verdict is Verdict.BUSY or seen.unreadable:
        return found
    if sign := stillness(seen, found, thresholds, now):
        return Found(verdict=Verdict.ORPHAN, reason=f"no live job knows it, and {sign}")
    return replace(found, reason=f"no live job knows it, but {found.reason}")


def stillness(seen: Observed, found: Found, thresholds: Thresholds, now: datetime) -> str:
    """What tells that a machine without a live job does nothing; empty where nothing does: then its end sends it home.

    An agent that stopped telling is a sign here, since a job's agent tells for as long as it lives. A quiet host is one
    where our store is known to be the machine's; else another store's job may work on accelerators that nobody sees.
    """
    if found.verdict is Verdict.IDLE:
        return f"it does nothing: {found.reason}"
    if seen.heartbeat is not None and not fresh(seen, thresholds, now):
        return f"its agent has been silent for {minutes(now - seen.heartbeat.at)}"
    return found.reason if found.verdict is Verdict.SUSPECT and labels.STORE in seen.instance.labels else ""


def doubt(seen: Observed) -> str:
    """Why labels or record cannot be relied on; empty where they can. Unreadable labels are not absent ones."""
    if "labels" in seen.unreadable:
        return "its labels could not be read"
    managed = seen.instance.labels.get(labels.MANAGED)
    if managed is not None and managed != labels.MANAGED_VALUE:
        return f"its label {labels.MANAGED} is '{managed}', of another version"
    for key in (labels.EXPIRES_AT, labels.KEEP_UNTIL):
        if key in seen.instance.labels and moment(seen, key) is None:
            return f"its label {key} is '{seen.instance.labels[key]}', which is no time"
    return "the record of its job could not be read" if seen.job is JobStanding.UNREADABLE else ""


def kept_until(seen: Observed, thresholds: Thresholds, now: datetime) -> str:
    """Why it is kept by its owner's wish; a wish has a bound, counted from the launch. Empty where there is none."""
    until = moment(seen, labels.KEEP_UNTIL)
    if until is None:
        return ""
    bound = seen.instance.launched_at + thresholds.limits.keep_until_at_most
    held = min(until, bound)
    return f"its owner keeps it until {held:%Y-%m-%d %H:%M} UTC" if now < held else ""


def left_alone(seen: Observed, found: Found) -> Decision:
    """Busy takes a mark off; unknown and suspect leave it, and wait."""
    if found.verdict is Verdict.BUSY and seen.mark is not None:
        return told(seen, Action.UNMARK, found, saves=False)
    action = Action.REPORT if found.verdict is Verdict.SUSPECT else Action.KEEP
    return told(seen, action, found, saves=found.verdict is Verdict.SUSPECT)


def in_two_phases(seen: Observed, found: Found, thresholds: Thresholds, now: datetime) -> Decision:
    """Marked first; its owner has the grace of the environment to object; then it goes."""
    grace = thresholds.grace_of(seen.instance.labels.get(labels.ENVIRONMENT, ""))
    if found.verdict is Verdict.IDLE and waits(seen, thresholds):
        found = replace(found, reason=f"{found.reason}; a program holds accelerator memory")
        grace = max(grace, thresholds.limits.held_grace)
    if seen.mark is None or not counts(seen.mark, seen.instance, thresholds, now):
        return told(seen, Action.MARK, found, not_before=now + grace)
    due = seen.mark.at + grace
    if now < due:
        waiting = replace(found, reason=f"{found.reason}; marked, its owner has until {due:%Y-%m-%d %H:%M} UTC")
        return told(seen, Action.KEEP, waiting, not_before=due)
    if foreign(seen):
        others = f"{found.reason}; it is not accelctl's, so its owner is told and it is left"
        return told(seen, Action.REPORT, replace(found, reason=others), not_before=due)
    return told(seen, way_to_go(seen), found, not_before=due)


def counts(mark: Mark, machine: Instance, thresholds: Thresholds, now: datetime) -> bool:
    """One from before the machine's start is an earlier life's, or came with copied labels."""
    return machine.launched_at <= mark.at <= now + thresholds.limits.clock_skew


def waits(seen: Observed, thresholds: Thresholds) -> bool:
    """A program holds accelerator memory: that is no work, and yet it is there for something."""
    held, least = seen.of(Metric.ACCELERATOR_MEMORY), thresholds.quiet[seen.accelerator].memory_held
    return any(series.values and series.highest >= least for series in held)


def may_go(seen: Observed, thresholds: Thresholds, now: datetime) -> bool:
    """As far as is known now: what can still spare it is worth a question."""
    return seen.mark is not None and decide(seen, thresholds, now).action in (
        Action.STOP,
        Action.TERMINATE,
        Action.SCALE_OWNER,
    )


def foreign(seen: Observed) -> bool:
    """Somebody else made it: it may be marked, and is never ended."""
    return labels.MANAGED not in seen.instance.labels


def way_to_go(seen: Observed) -> Action:
    """How this machine can go without coming back."""
    if seen.owner in (OwnerKind.GROUP, OwnerKind.FLEET, OwnerKind.POOL):
        return Action.SCALE_OWNER
    if seen.tenure is Tenure.ON_DEMAND and not seen.instance_store_root and seen.job is JobStanding.NONE:
        return Action.STOP
    return Action.TERMINATE


def told(
    seen: Observed, action: Action, found: Found, *, not_before: datetime | None = None, saves: bool = True
) -> Decision:
    """The decision with what it rests on."""
    saved = seen.price_per_hour * DAY if saves and seen.price_per_hour is not None else None
    ends = action in (Action.MARK, Action.STOP, Action.TERMINATE, Action.SCALE_OWNER)
    return Decision(
        verdict=found.verdict, action=action, reason=found.reason, evidence=evidence(seen), not_before=not_before,
        saves_per_day=saved, loses=losses(seen) if ends else (),
    )  # fmt: skip


def losses(seen: Observed) -> tuple[str, ...]:
    """What goes with the machine."""
    disks = ("what is on its local disks",) if seen.local_disks else ()
    root = ("its root disk",) if way_to_go(seen) is Action.TERMINATE else ()
    return ("what is in its memory", *disks, *root)


def evidence(seen: Observed) -> dict[str, Any]:
    """Every number that the decision rests on."""
    return {
        "series": [
            {"metric": one.metric, "device": one.device, "highest": one.highest, "coverage": one.coverage}
            for one in seen.series
        ],
        "accelerators": seen.devices, "heartbeat": heard_of(seen.heartbeat), "job": seen.job,
        "session_open": seen.session_open, "tenure": seen.tenure, "owner": labels.owner(seen.instance.labels) or None,
        "replaced_by": seen.owner_name or seen.owner,
        "launched_at": seen.instance.launched_at, "unreadable": list(seen.unreadable),
        "marked_at": seen.mark.at if seen.mark else None,
    }  # fmt: skip


def heard_of(beat: Heartbeat | None) -> dict[str, Any] | None:
    if beat is None:
        return None
    return {"at": beat.at, "phase": beat.phase, "devices": list(beat.devices), "memory": list(beat.memory)}


def moment(seen: Observed, label: str) -> datetime | None:
    """A label's time; None where it is absent or is none."""
    return labels.moment(seen.instance.labels.get(label, ""))
