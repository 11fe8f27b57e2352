"""Ids of a stack's accounts on Google Cloud."""

import re

import pytest

from stacks.components.gcp_names import account_id

LONG = "gcp-tpu-v5e-a-team-whose-name-is-longer-than-what-google-takes"


@pytest.mark.parametrize("stack", ["gcp-tpu-v5e", LONG, "gcp-tpu-v5e-Team_One.prod", "9", "-", "研究"])
def test_an_id_is_one_that_google_takes(stack: str) -> None:
    """Whatever the stack is called."""
    assert re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", account_id(stack, "v5e-machine"))


def test_no_two_accounts_have_one_id() -> None:
    """Names that begin alike, or differ only in what Google does not take; the same one twice is the same."""
    stacks = (LONG, f"{LONG}-2", "gcp-tpu-v5e", "gcp_tpu_v5e", "gcp-tpu-V5e")
    ids = {account_id(stack, name) for stack in stacks for name in ("v5e-machine", "v5e-480m")}

    assert len(ids) == 10
    assert account_id(LONG, "v5e-480m") in ids
