"""The end of a job in a few lines that a person wants to read. Pure."""

from collections.abc import Iterator

from provisioner.cli.output import money, size, span
from provisioner.domain.costs import Tariff
from provisioner.domain.jobs import Attempt, Cost, EndReason, JobRecord
from provisioner.jobs.costs import kept_per_month
from provisioner.jobs.view import saved_percent

SURVIVED = (EndReason.INTERRUPTED, EndReason.LOST)


def summary(record: JobRecord, cost: Cost, kept: int | None, tariff: Tariff) -> Iterator[str]:
    """Attempts, interruptions, what each lost, what was paid against on-demand, and what is left.

    `kept` is in bytes, None where it is not known.
    """
    yield f"{record.spec.name} ({record.id}) {record.state}"
    yield f"  attempts            {len(record.attempts)}"
    interruptions = [attempt for attempt in record.attempts if attempt.end_reason in SURVIVED]
    yield f"  interruptions       {len(interruptions)}"
    for attempt in interruptions:
        yield f"    attempt {attempt.number}         {lost(attempt)}"
    yield f"  paid                {money(cost.paid)} (estimate until the bill confirms it)"
    parts = (("machines", cost.machine), ("disks", cost.disk), ("network", cost.network), ("store", cost.store))
    for name, amount in parts:
        yield f"    {name:<18}{money(amount)}"
    yield f"  against on-demand   {against(cost)}"
    if record.ended_at is not None:
        yield "nothing is left running"
        held = (
            "how much is not known" if kept is None else f"{size(kept)}, {money(kept_per_month(kept, tariff))} a month"
        )
        yield f"kept in the store: {held}; 'accelctl teardown {record.id} --with-data' removes it"


def lost(attempt: Attempt) -> str:
    where = attempt.offering.zone if attempt.offering else "?"
    how = "taken back" if attempt.end_reason is EndReason.INTERRUPTED else "lost"
    if attempt.work_lost is None and attempt.took_to_start is None:
        return f"{how} in {where} before the program began"
    return f"{how} in {where}, {span(attempt.work_lost)} of work lost since the last checkpoint"


def against(cost: Cost) -> str:
    """The machines alone: disks, network and store cost the same either way."""
    if cost.on_demand is None:
        return money(None)
    percent = saved_percent(cost)
    if percent is None:
        return f"{money(cost.on_demand)} for the machines"
    words = f"{percent:g} % of it saved" if percent >= 0 else f"which would have been {-percent:g} % less"
    return f"{money(cost.on_demand)} for the machines, {words}"
