"""One machine's refusal never stops the others, and what is everybody's is not asked of each."""

import pytest
from botocore.exceptions import ClientError

from provisioner.clouds.aws.batches import refusals
from provisioner.errors import AccelctlError

IDS = [f"i-{number}" for number in range(200)]


def asked(code: str, refused: set[str]) -> tuple[dict[str, AccelctlError], int]:
    """Of a call that fails for every batch with one of these in it: the refusals, and how many calls it took."""
    calls: list[list[str]] = []

    def call(ids: list[str]) -> None:
        calls.append(ids)
        if refused & {*ids}:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "StopInstances")

    return refusals("ec2:StopInstances", IDS, call), len(calls)


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidInstanceID.NotFound"])
@pytest.mark.parametrize("refused", [{"i-0"}, {"i-1", "i-77", "i-199"}, {*IDS[:5], "i-7", "i-199"}])
def test_all_but_those_that_are_refused_are_done(code: str, refused: set[str]) -> None:
    """Also where a policy lets the caller at some machines only."""
    assert set(asked(code, refused)[0]) == refused


@pytest.mark.parametrize(("code", "most"), [("UnauthorizedOperation", 25), ("ExpiredToken", 1), ("Unavailable", 1)])
def test_a_refusal_of_all_takes_few_calls(code: str, most: int) -> None:
    """And everybody hears of it."""
    found, calls = asked(code, set(IDS))

    assert set(found) == set(IDS)
    assert calls <= most
