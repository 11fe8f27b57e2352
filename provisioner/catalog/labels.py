"""The keys of the labels that everything of ours carries, on every cloud."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MANAGED = "accelctl:managed"
"""On everything; its value is MANAGED_VALUE. What lacks it is not ours and is never touched."""
MANAGED_VALUE = "accelctl"
KIND = "accelctl:kind"
"""What a thing of `setup` is for: network, subnet, store, …"""
JOB = "accelctl:job"
NAME = "accelctl:name"
STORE = "accelctl:store"
"""On what belongs to a job: the store that has its record. No other store can tell whether the job lives."""
ATTEMPT = "accelctl:attempt"
TOKEN = "accelctl:token"  # noqa: S105 - the idempotency token of a launch, no secret
OWNER = "accelctl:owner"
EXPIRES_AT = "accelctl:expires-at"
KEEP_UNTIL = "accelctl:keep-until"
"""Its owner's wish that it stays, idle or not; the reaper heeds it up to a bound."""
ENVIRONMENT = "accelctl:environment"
"""development or production: how long its owner has to object."""
REAP = "accelctl:reap"
"""The reaper's mark: time, token and reason."""
STACK = "accelctl:stack"
"""On what a Pulumi stack owns; its value is the stack's name."""


def said(held: Mapping[str, Any], key: str) -> Any:
    """What a label says: people write `owner` for `accelctl:owner`, and mean it. None where it says nothing."""
    return held.get(key) or held.get(key.removeprefix("accelctl:")) or None


def owner(held: Mapping[str, Any]) -> str:
    """Whose it is; empty where nothing says so."""
    return str(said(held, OWNER) or "")


def moment(text: str) -> datetime | None:
    """A label's time, in UTC, as one without a zone is taken; None for what is none, or lies outside the calendar."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def ours(**more: str) -> dict[str, str]:
    """The labels of something of ours: MANAGED, and these. Keywords are the last words of the keys above."""
    return {MANAGED: MANAGED_VALUE} | {f"accelctl:{name.replace('_', '-')}": value for name, value in more.items()}


def unchanging(marks: Mapping[str, str]) -> dict[str, str]:
    """Those that stay the same as long as the thing is there."""
    return {key: value for key, value in marks.items() if key in (MANAGED, STACK)}


def for_google(labels: Mapping[str, str]) -> dict[str, str]:
    """As Google Cloud takes them: small letters, digits, - and _ alone."""
    return {key.replace(":", "-"): re.sub(r"[^a-z0-9_-]", "-", value.lower())[:63] for key, value in labels.items()}


def from_google(labels: Mapping[str, str]) -> dict[str, str]:
    """Our keys back. Of a value only the moment of an end can be told back: 2026-11-21t14-00-00z."""
    found = {re.sub(r"^accelctl-", "accelctl:", key): value for key, value in labels.items()}
    if moment := re.fullmatch(r"(\d{4}-\d\d-\d\d)t(\d\d)-(\d\d)-(\d\d)z", found.get(EXPIRES_AT, "")):
        found[EXPIRES_AT] = f"{moment[1]}T{moment[2]}:{moment[3]}:{moment[4]}Z"
    return found
