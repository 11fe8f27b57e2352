"""The week's summary: what was seen, marked, ended and spared, and what that saved. Pure."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from provisioner.domain.contract import CURRENCY
from provisioner.reaper.history import KEPT, Day, Event, History, Place

DAY = Decimal(24 * 3600)
CENT = Decimal("0.01")


def week_document(history: History, now: datetime) -> dict[str, Any]:
    """The last seven days, UTC, today included, as plain data."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=KEPT - 1)
    days = [held for day, held in sorted(history.days.items()) if first <= day <= today]
    ended = together(days, "ended")
    return {
        "from": datetime.combine(first, time(), UTC), "to": now, "rounds": sum(day.rounds for day in days),
        "rounds_failed": sum(day.failed for day in days), "rounds_unfinished": history.unfinished(now),
        "seen": max((day.seen for day in days), default=0),
        "unknown": max((day.unknown for day in days), default=0), "marked": listed(together(days, "marked")),
        "ended": listed(ended), "spared": listed(together(days, "spared")),
        "saved": saved(ended, now), "currency": CURRENCY,
        "unpriced": sum(one.saves_per_day is None for one in ended.values()), "oldest_unknown": oldest(history),
    }  # fmt: skip


def together(days: list[Day], name: str) -> dict[Place, Event]:
    """Of a machine its last event."""
    found: dict[Place, Event] = {}
    for day in days:
        held: Mapping[Place, Event] = getattr(day, name)
        found |= held
    return found


def listed(events: Mapping[Place, Event]) -> list[dict[str, Any]]:
    """Oldest first."""
    return [located(place) | asdict(one) for place, one in sorted(events.items(), key=lambda found: found[1].at)]


def saved(ended: Mapping[Place, Event], now: datetime) -> Decimal:
    """USD: what the machines would have cost from their end until now. Those without a price are not in it."""
    spans = [(one.saves_per_day, Decimal((now - one.at).total_seconds())) for one in ended.values()]
    total = sum((price * max(span, Decimal(0)) / DAY for price, span in spans if price is not None), Decimal(0))
    return total.quantize(CENT)


def oldest(history: History) -> dict[str, Any] | None:
    return located(history.oldest[0]) | {"since": history.oldest[1]} if history.oldest else None


def located(place: Place) -> dict[str, Any]:
    region, _, machine = place.partition("/")
    return {"region": region, "id": machine}
