"""Jobs and attempts as tables. Pure."""

from collections.abc import Sequence

from provisioner.cli import output
from provisioner.cli.output import money, size, span
from provisioner.domain.jobs import Attempt, Cost, JobRecord


def jobs_table(records: Sequence[JobRecord], totals: Sequence[Cost]) -> str:
    headers = ("JOB", "NAME", "STATE", "WHERE", "ATTEMPTS", "CHECKPOINT", "PAID SO FAR", "ON-DEMAND")
    rows = [
        (record.id, record.spec.name, record.state, where(record), len(record.attempts), checkpoint(record),
         money(total.paid), money(total.on_demand))
        for record, total in zip(records, totals, strict=True)
    ]  # fmt: skip
    return output.table(headers, rows)


def where(record: JobRecord) -> str:
    last = record.attempt
    if record.ended_at is None and record.cancel_asked_at is not None:
        return "asked to stop"
    if record.ended_at is None and record.next_try_at is not None:
        return f"next try {record.next_try_at:%H:%M:%S} UTC"
    if record.ended_at is not None or last is None or last.offering is None or last.ended_at is not None:
        return "-"
    return f"{last.offering.instance_type} {last.offering.zone}"


def checkpoint(record: JobRecord) -> str:
    if record.checkpoint is None:
        return "-"
    return f"{record.checkpoint.sequence} ({size(record.checkpoint.bytes)})"


def refusals_table(record: JobRecord) -> str:
    """Who refused, in the cloud's words; empty for nobody."""
    rows = [
        (one.region, one.zone or "-", one.instance_type, one.capacity_type, one.code,
         "for good" if one.until is None else f"until {one.until:%H:%M:%S} UTC")
        for one in record.refusals
    ]  # fmt: skip
    return output.table(("REFUSED IN", "ZONE", "TYPE", "CAPACITY", "WHY", "LEFT ALONE"), rows) if rows else ""


def attempts_table(record: JobRecord) -> str:
    headers = (
        "ATTEMPT",
        "TYPE",
        "ZONE",
        "CAPACITY",
        "MACHINE",
        "STATE",
        "ENDED",
        "WORK LOST",
        "PER HOUR WHEN BOUGHT",
        "PAID",
    )
    return output.table(headers, [attempt_row(attempt) for attempt in record.attempts])


def attempt_row(attempt: Attempt) -> tuple[object, ...]:
    offering = attempt.offering or attempt.offerings[0]
    return (
        attempt.number, offering.instance_type, offering.zone, offering.capacity_type,
        attempt.nodes[0].instance_id if attempt.nodes else "-", attempt.state, attempt.end_reason or "-",
        "-" if attempt.work_lost is None else span(attempt.work_lost), money(offering.price_per_hour),
        "-" if attempt.cost is None else money(attempt.cost.paid),
    )  # fmt: skip
