"""What tests of AWS share."""

import pytest


@pytest.fixture
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that nobody accepts, and nobody to ask."""
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
