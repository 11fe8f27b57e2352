"""A run ends few machines at once, and its marks can be read again."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from provisioner.reaper import marks
from provisioner.reaper.caps import caps_of
from provisioner.reaper.observed import Mark, Observed
from provisioner.reaper.view import saved
from tests.reaper.test_verdicts import DOCUMENT, observed

MARK = Mark(at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC), token="a1b2", reason="nothing above its threshold (5 %)")


def machine(owner: str, price: str | None = "6.50") -> Observed:
    usual = observed(DOCUMENT["usual"])
    found = replace(usual, price_per_hour=Decimal(price) if price else None)
    return replace(found, instance=replace(found.instance, labels={"accelctl:owner": owner}))


@pytest.mark.parametrize(("seen", "may_end"), [(1, 1), (10, 1), (19, 1), (20, 2), (99, 9), (1000, 20)])
def test_a_run_ends_a_tenth_and_twenty_at_most(seen: int, may_end: int) -> None:
    """At least one, so that a small estate is not left alone."""
    machines = [machine(f"owner-{number}") for number in range(seen)]
    caps = caps_of(machines)
    ended = 0
    for one in machines:
        if not caps.refusal(one):
            caps.spend(one)
            ended += 1

    assert ended == may_end


def test_one_owner_never_loses_everything_at_once() -> None:
    """The cap holds for each owner as well."""
    machines = [machine("ann") for _ in range(10)] + [machine(f"other-{number}") for number in range(90)]
    caps = caps_of(machines)
    caps.spend(machines[0])

    assert "owner 'ann'" in caps.refusal(machines[1])
    assert not caps.refusal(machines[10])


def test_a_run_ends_a_tenth_of_the_price_as_well() -> None:
    """One machine that costs as much as all others is one run's work; at least one may always go."""
    dear, cheap = machine("ann", "100.00"), [machine(f"other-{number}", "1.00") for number in range(99)]
    caps = caps_of([dear, *cheap])
    assert not caps.refusal(dear)
    caps.spend(dear)

    assert "19.90 USD an hour" in caps.refusal(cheap[0])


def test_an_unknown_price_counts_as_the_dearest() -> None:
    """Not as nothing: two of them would be more than a tenth."""
    machines = [machine("", None), machine("", "50.00"), *[machine(f"o{number}", "1.00") for number in range(30)]]
    caps = caps_of(machines)
    caps.spend(machines[0])

    assert "13.00 USD an hour" in caps.refusal(machines[2])


def test_a_spot_machine_without_a_price_counts_as_its_type_costs_on_demand() -> None:
    """Dearer than everything else that is priced: it alone is a run's work."""
    spot = replace(machine("ann", None), on_demand_per_hour=Decimal("55.04"))
    cheap = [machine(f"o{number}", "1.21") for number in range(40)]
    caps = caps_of([spot, *cheap])
    caps.spend(spot)

    assert "may end machines of 10.34 USD" in caps.refusal(cheap[0])


def test_what_a_run_saved_is_unknown_as_soon_as_one_price_is() -> None:
    """Never 0, nor the sum of the others."""
    assert saved([Decimal("29.04"), None]) is None
    assert saved([Decimal("29.04"), Decimal("1.00")]) == Decimal("30.04")
    assert saved([]) == 0


def test_a_mark_is_read_as_it_was_written() -> None:
    """Within what a label may hold: 256 characters, no brackets."""
    text = marks.written(replace(MARK, reason=MARK.reason + " x" * 300))

    assert len(text) == 256
    assert (marks.read(text) or MARK).at == MARK.at
    assert marks.read(marks.written(MARK)) == replace(MARK, reason="nothing above its threshold 5 ")


@pytest.mark.parametrize(
    "text",
    ["", "soon", "yesterday a1 idle", "2026-11-21", "2026-11-21T10:00:00 a1 idle", "2026-11-21T10:00:00+25:00 a1 idle"],
)
def test_what_is_no_mark_of_ours_is_none(text: str) -> None:
    """The machine is marked anew."""
    assert marks.read(text) is None
