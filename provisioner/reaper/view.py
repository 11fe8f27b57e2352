"""A round as plain data, for JSON and for log lines."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from provisioner.domain.contract import CURRENCY
from provisioner.reaper.activity import Verdict
from provisioner.reaper.notices import Told
from provisioner.reaper.round import Other, Round
from provisioner.reaper.sweep import ENDS, Outcome, Report, Swept


def round_document(done: Round) -> dict[str, Any]:
    return {
        "machines": [machine_document(one) for one in done.report.machines],
        "blind": [{"region": one.region, "reason": one.reason} for one in done.report.blind],
        "told": [told_document(one) for one in done.report.told], "summary": summary(done.report),
        "others": [other_document(one) for one in done.others], "requests": dict(done.requests),
    }  # fmt: skip


def machine_document(one: Swept) -> dict[str, Any]:
    instance, decision = one.machine.instance, one.decision
    return {
        "cloud": instance.cloud, "region": instance.region, "id": instance.id,
        "instance_type": instance.instance_type, "verdict": decision.verdict, "action": decision.action,
        "outcome": one.outcome, "reason": one.why or decision.reason, "price_per_hour": one.machine.price_per_hour,
        "currency": CURRENCY,
        "not_before": decision.not_before, "saves_per_day": decision.saves_per_day, "loses": list(decision.loses),
        "evidence": decision.evidence,
    }  # fmt: skip


def told_document(one: Told) -> dict[str, Any]:
    return {"owner": one.owner, "machines": one.machines, "sent": not one.why, "reason": one.why}


def other_document(one: Other) -> dict[str, Any]:
    return {
        "kind": one.kind, "region": one.region, "id": one.id, "action": one.action, "outcome": one.outcome,
        "reason": one.reason, "price_per_hour": one.price_per_hour, "currency": CURRENCY,
    }  # fmt: skip


def summary(report: Report) -> dict[str, Any]:
    verdicts = [one.decision.verdict for one in report.machines]
    done = [one for one in report.machines if one.outcome is Outcome.DONE]
    ended = [one for one in done if one.decision.action in ENDS]
    return {
        "seen": len(verdicts), **{kind: verdicts.count(kind) for kind in Verdict}, "acted": len(done),
        "failed": len(report.failed), "not_reached": len(report.not_reached),
        "currency": CURRENCY, "saved_per_day": saved([one.decision.saves_per_day for one in ended]),
    }  # fmt: skip


def saved(each: Sequence[Decimal | None]) -> Decimal | None:
    """USD; None as soon as one of them is not known."""
    known = [one for one in each if one is not None]
    return sum(known, Decimal(0)) if len(known) == len(each) else None
