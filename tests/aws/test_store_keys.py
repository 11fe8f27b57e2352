"""The keys to the job store never outlive themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials

from provisioner.clock import SystemClock
from provisioner.clouds.aws.store_keys import StoreKeys


class Session:
    """What boto3's session gives, with keys that end when the test says."""

    region_name = "us-east-1"

    def __init__(self, first: timedelta) -> None:
        self.made = 0
        self._first = first

    def get_credentials(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(  # pyright: ignore[reportUnknownMemberType]
            self.keys(self._first), refresh_using=lambda: self.keys(timedelta(hours=1)), method="test"
        )

    def keys(self, lasting: timedelta) -> dict[str, Any]:
        self.made += 1
        ends = (datetime.now(UTC) + lasting).isoformat()
        return {"access_key": f"k{self.made}", "secret_key": "s", "token": "t", "expiry_time": ends}


def test_keys_are_held_no_longer_than_they_last() -> None:
    """Ten minutes at most: whatever botocore gives then is renewed in time."""
    now = datetime.now(UTC)
    keys = StoreKeys(Session(timedelta(minutes=20)), SystemClock())()

    assert keys["access_key_id"] == "k1"
    assert now + timedelta(minutes=9) < keys["expires_at"] <= datetime.now(UTC) + timedelta(minutes=10)


@pytest.mark.parametrize("left", [timedelta(minutes=5), timedelta(seconds=-1)])
def test_keys_that_are_about_to_end_are_renewed_first(left: timedelta) -> None:
    """Nobody is given what ends within the next minutes."""
    keys = StoreKeys(Session(left), SystemClock())()

    assert keys["access_key_id"] == "k2"
    assert keys["expires_at"] > datetime.now(UTC) + timedelta(minutes=9)


def test_keys_without_an_end_are_asked_for_again_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may change them in their file."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "plain")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    session = botocore.session.Session()
    session.region_name = "us-east-1"  # pyright: ignore[reportAttributeAccessIssue] - as boto3's has it

    assert StoreKeys(session, SystemClock())()["expires_at"] <= datetime.now(UTC) + timedelta(minutes=10)
