"""A sweep may die at any of its requests: no machine is ended or marked twice, and the next run does the rest."""

import pytest

from tests.estate.killed import hurt_sweep

ACTS = ("CancelSpotInstanceRequests", "TerminateInstances", "CreateTags")


@pytest.mark.parametrize("only", ACTS)
def test_a_sweep_that_dies_at_an_act_is_carried_on(only: str) -> None:
    """The act is done and nobody heard of it."""
    assert hurt_sweep(at=1, only=only).wrong == ()


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True])
def test_a_sweep_may_die_at_every_request(after: bool) -> None:
    """Before it, and after it."""
    requests = hurt_sweep().requests
    wrong = {at: hurt_sweep(at=at, after=after).wrong for at in range(1, requests + 1)}

    assert {at: found for at, found in wrong.items() if found} == {}
