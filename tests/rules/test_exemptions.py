"""Who is let off a rule, and until when."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from provisioner.rules import configuration, ruleset
from provisioner.rules.configuration import Configuration, Exemption
from provisioner.rules.ruleset import Outcome
from tests.rules.cases import CASES, NOW, findings
from tests.rules.test_rules import DEVELOPMENT, OFF


def exempted(*days: int) -> Configuration:
    """By exemptions of one thing that end so many days from now."""
    exemptions = tuple(
        Exemption(
            pattern="p5-*", rule="accelerator-not-always-on", reason="a demonstration", owner="ann",
            until=NOW.date() + timedelta(days=one),
        )
        for one in days
    )  # fmt: skip
    return replace(DEVELOPMENT, exemptions=exemptions)


@pytest.mark.parametrize(
    ("days", "outcome"),
    [
        ((1,), Outcome.EXEMPT), ((-1,), Outcome.VIOLATION), ((366,), Outcome.EXEMPT), ((20_000,), Outcome.VIOLATION),
        ((-10, 30), Outcome.EXEMPT), ((20_000, 30), Outcome.EXEMPT), ((-10, -1), Outcome.VIOLATION),
    ],
)  # fmt: skip
def test_an_exemption_has_an_end(days: tuple[int, ...], outcome: Outcome) -> None:
    """Expired, it is a violation again, which says who had asked for it; one for ever lets nobody off; one that holds
    does, whatever others there are.
    """
    case = next(case for case in CASES if case["name"] == "p5-on-demand")
    (found,) = findings(case, exempted(*days))

    assert found.outcome is outcome
    assert "ann" in found.what


def test_an_exemption_may_come_as_json() -> None:
    """Where a day is a text, as in the configuration of the policy pack."""
    found = configuration.read({"exemptions": [OFF]}, "policy configuration", rules=ruleset.NAMES)

    assert found.exemptions[0].until == date(2030, 1, 1)
