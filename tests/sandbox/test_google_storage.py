"""Google's buckets as the sandbox keeps them, over the wire."""

import pytest

from provisioner.sandbox.client import PROJECT
from tests.sandbox.google import call

pytestmark = pytest.mark.usefixtures("sandbox")
ROLE = "roles/storage.objectUser"


def test_a_bucket_with_something_in_it_does_not_go() -> None:
    """It is there once, and gone once it is empty."""
    assert call("storage", "POST", "b", {"name": "mine-1"}, project=PROJECT)[0] == 200
    assert call("storage", "POST", "b", {"name": "mine-1"}, project=PROJECT)[0] == 409
    call("storage", "POST", "b/mine-1/o", {"name": "one/record.json"})
    assert call("storage", "DELETE", "b/mine-1")[0] == 409
    assert call("storage", "DELETE", "b/mine-1/o/one%2Frecord.json")[0] == 200
    assert call("storage", "DELETE", "b/mine-1")[0] == 200
    assert call("storage", "GET", "b/mine-1")[0] == 404


def test_buckets_are_listed_by_how_they_begin() -> None:
    """Names that Google does not take are refused."""
    for name in ("ours-1", "ours-2", "theirs"):
        call("storage", "POST", "b", {"name": name, "location": "US-CENTRAL1"}, project=PROJECT)
    found = call("storage", "GET", "b", project=PROJECT, prefix="ours-")[1]["items"]

    assert [(one["name"], one["location"]) for one in found] == [("ours-1", "US-CENTRAL1"), ("ours-2", "US-CENTRAL1")]
    assert call("storage", "POST", "b", {"name": "Not A Bucket"}, project=PROJECT)[0] == 400


def test_only_accounts_that_are_there_are_granted_anything() -> None:
    """The policy is written whole."""
    call("storage", "POST", "b", {"name": "granted"}, project=PROJECT)
    nobody = {"bindings": [{"role": ROLE, "members": [f"serviceAccount:nobody@{PROJECT}.iam.gserviceaccount.com"]}]}

    assert call("storage", "PUT", "b/granted/iam", nobody)[0] == 400
    assert call("storage", "GET", "b/granted/iam")[1] == {"bindings": []}
