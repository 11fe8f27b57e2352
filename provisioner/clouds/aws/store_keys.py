"""The keys by which obstore reaches the job store: boto3's own, never held beyond their end."""

from datetime import datetime, timedelta
from typing import Any

from provisioner.clock import Clock

HELD_FOR = timedelta(minutes=10)
"""botocore renews keys that have less than that left, so whoever asks so often never holds one that has ended."""


class StoreKeys:
    """Called by obstore whenever the keys it holds have ended."""

    def __init__(self, session: Any, clock: Clock) -> None:
        self._clock = clock
        self._credentials = session.get_credentials()
        self.config = {"region": session.region_name} if session.region_name else {}

    def __call__(self) -> dict[str, Any]:
        keys = self._credentials.get_frozen_credentials()
        held_until = self._clock.now() + HELD_FOR
        ends_at: datetime | None = getattr(self._credentials, "_expiry_time", None)  # no public name in botocore
        return {
            "access_key_id": keys.access_key, "secret_access_key": keys.secret_key, "token": keys.token,
            "expires_at": min(ends_at, held_until) if ends_at else held_until,
        }  # fmt: skip
