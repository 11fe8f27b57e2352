"""The configuration of the base stacks, key by key."""

import pulumi
import pytest

from stacks.components.base_keys import AWS, AZURE, GCP
from stacks.settings import Key, parsed

WRONG = {
    "way": "nat", "parts": "some", "adopt": "yes", "withData": "1", "team": "", "costCenter": "x" * 64,
    "region": "us central", "bucket": "Not A Bucket", "location": "East US", "account": "no",
    "gcp:project": "Nope", "owner": "a<b>",
}  # fmt: skip


@pytest.mark.parametrize("key", dict.fromkeys((*AWS, *AZURE, *GCP)), ids=lambda key: f"{key.name}-{key.default}")
def test_every_key_has_a_default_that_it_takes_and_says_what_it_refuses(key: Key) -> None:
    """With its own name, what was given, and a hint."""
    assert parsed(key, None) == key.parse(key.default)
    with pytest.raises(pulumi.RunError) as refused:
        parsed(key, WRONG[key.name])

    assert f"{key.name} is '{WRONG[key.name]}'" in str(refused.value)
    assert f"pulumi config set {key.name} VALUE" in str(refused.value)
