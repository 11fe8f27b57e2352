"""A job as `status --output json` shows it. Pure; the shape is a contract (docs/cli.md)."""

from decimal import Decimal
from typing import Any

from provisioner.domain.contract import CURRENCY
from provisioner.domain.jobs import Attempt, Cost, JobRecord

CENTI_CENT = Decimal("0.0001")


def job_document(record: JobRecord, total: Cost) -> dict[str, Any]:
    """One job of `{"jobs": […]}`."""
    checkpoint = record.checkpoint
    return {
        "id": record.id, "name": record.spec.name, "state": record.state, "command": list(record.spec.command),
        "created_at": record.created_at, "ended_at": record.ended_at, "owner": record.owner,
        "exit_code": record.outcome.program_exit_code if record.outcome else None,
        "message": record.outcome.message if record.outcome else None,
        "last_lines": list(record.outcome.last_lines) if record.outcome else [],
        "next_try_at": record.next_try_at,
        "attempts": [attempt_document(attempt, record) for attempt in record.attempts],
        "refusals": [
            {"region": r.region, "zone": r.zone, "instance_type": r.instance_type, "capacity_type": r.capacity_type,
             "code": r.code, "message": r.message, "until": r.until} for r in record.refusals
        ],
        "checkpoint": None if checkpoint is None else {
            "at": checkpoint.at, "bytes": checkpoint.bytes, "files": checkpoint.files, "sequence": checkpoint.sequence,
            "attempt": checkpoint.attempt,
        },
        "cost": cost_document(total),
    }  # fmt: skip


def attempt_document(attempt: Attempt, record: JobRecord) -> dict[str, Any]:
    offering = attempt.offering or attempt.offerings[0]
    return {
        "number": attempt.number, "cloud": record.spec.cloud, "region": offering.region, "zone": offering.zone,
        "instance_type": offering.instance_type, "capacity_type": offering.capacity_type,
        "instance_id": attempt.nodes[0].instance_id if attempt.nodes else None,
        "nodes": [
            {"rank": node.rank, "instance_id": node.instance_id, "private_address": node.private_address,
             "zone": node.zone} for node in attempt.nodes
        ],
        "state": attempt.state, "launched_at": attempt.launched_at, "ended_at": attempt.ended_at,
        "end_reason": attempt.end_reason, "exit_code": attempt.exit_code, "message": attempt.message or None,
        "work_lost_seconds": None if attempt.work_lost is None else attempt.work_lost.total_seconds(),
        "price_per_hour": offering.price_per_hour, "cost": None if attempt.cost is None else dollars(attempt.cost.paid),
    }  # fmt: skip


def cost_document(cost: Cost) -> dict[str, Any]:
    return {
        "paid": dollars(cost.paid), "on_demand": dollars(cost.on_demand), "saved_percent": saved_percent(cost),
        "machine": dollars(cost.machine), "disk": dollars(cost.disk), "network": dollars(cost.network),
        "store": dollars(cost.store), "currency": CURRENCY, "estimate": True,
    }  # fmt: skip


def dollars(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(CENTI_CENT)


def saved_percent(cost: Cost) -> float | None:
    """Of the machine's on-demand price; None where either is unknown or nothing was used."""
    if cost.machine is None or not cost.on_demand:
        return None
    return round(float(100 * (1 - cost.machine / cost.on_demand)), 1)
