"""What is not known yet is never cheap, never zero and never right: it is said."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from provisioner.rules import configuration
from tests.rules.cases import CASES, findings

DEVELOPMENT = configuration.load("development")
BY_ITS_MARKET = {"spot-settings-sane"}
"""What asks for spot may ask wrongly; of what may be on demand, nothing is wrong in its request."""
REFUSED = [case for case in CASES if set(case["rules"]) - BY_ITS_MARKET]


def blinded(inputs: Any) -> Iterator[Any]:
    """The inputs, each time with another value, table or list that is not known yet."""
    for key in inputs if isinstance(inputs, dict) else range(len(inputs)) if isinstance(inputs, list) else ():  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        for one in ("?", *blinded(inputs[key])):
            found = copy.copy(inputs)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            found[key] = one
            yield found


def passed_over(case: dict[str, Any]) -> set[str]:
    """The rules that refuse it, and are silent then."""
    return set(case["rules"]) - {one.rule for one in findings(case, DEVELOPMENT)} - BY_ITS_MARKET


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_what_is_refused_is_refused_or_said_whatever_of_it_is_not_known_yet(case: dict[str, Any]) -> None:
    """By each rule that refuses it."""
    assert [inputs for inputs in blinded(case["inputs"]) if passed_over(case | {"inputs": inputs})] == []
