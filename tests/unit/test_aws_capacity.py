"""How training machines are bought: keys that do not fit each other are refused by name, before anything is asked."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from stacks.components.aws_capacity import KEYS, cleared_at, refuse_unfitting
from stacks.settings import parsed

PLAIN: dict[str, Any] = {"capacity": "spot", "offering": "", "reservation": "", "zone": ""}
BLOCK = {"capacity": "capacity-block", "offering": "cb-0123456789abcdef0", "zone": "us-east-1a"}


@pytest.fixture
def told() -> Iterator[None]:
    """The user has set endAfter."""
    pulumi.runtime.set_all_config({"project:endAfter": "3h"})
    yield
    pulumi.runtime.set_all_config({})


@pytest.mark.parametrize(
    "fitting",
    [{}, {"capacity": "on-demand"}, BLOCK, {"capacity": "reservation"},
     {"capacity": "reservation", "reservation": "cr-0123456789abcdef0", "zone": "us-east-1a"}],
)  # fmt: skip
def test_what_fits_is_passed_over(fitting: dict[str, Any]) -> None:
    """Each way of buying, with what it needs."""
    refuse_unfitting(PLAIN | fitting)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (BLOCK | {"offering": ""}, "offering"),
        (BLOCK | {"zone": ""}, "zone"),
        ({"capacity": "reservation", "reservation": "cr-0123456789abcdef0"}, "zone"),
        ({"offering": "cb-0123456789abcdef0"}, "offering"),
        ({"capacity": "on-demand", "reservation": "cr-0123456789abcdef0"}, "reservation"),
        (BLOCK | {"reservation": "cr-0123456789abcdef0"}, "reservation"),
    ],
)
def test_a_key_that_lacks_or_is_too_many_is_named(wrong: dict[str, Any], key: str) -> None:
    """With the command that sets it right."""
    with pytest.raises(pulumi.RunError, match=f"accelctl:{key} is .*\nhint: pulumi config set"):
        refuse_unfitting(PLAIN | wrong)


@pytest.mark.usefixtures("told")
def test_a_block_has_an_end_of_its_own() -> None:
    """Another one is refused rather than passed over."""
    with pytest.raises(pulumi.RunError, match="accelctl:endAfter is '3h'"):
        refuse_unfitting(PLAIN | BLOCK)
    refuse_unfitting(PLAIN)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("capacity", "cheap", "spot, capacity-block"), ("offering", "r-1", "cb-0123"), ("reservation", "cb-1", "cr-0123")],
)
def test_a_value_that_is_none_is_refused_with_what_is_allowed(key: str, value: str, said: str) -> None:
    """By its form; what the cloud knows it says itself."""
    with pytest.raises(pulumi.RunError, match=said):
        parsed(next(one for one in KEYS if one.name == key), value)


def test_machines_of_a_block_end_before_it_does() -> None:
    """Half an hour, when AWS takes them back."""
    assert cleared_at("2026-11-22T11:30:00Z") == "2026-11-22T11:00:00Z"
