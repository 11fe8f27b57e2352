"""The keys of the labels that everything of ours carries, on every cloud."""

MANAGED = "accelctl:managed"
"""On everything; its value is MANAGED_VALUE. What lacks it is not ours and is never touched."""
MANAGED_VALUE = "accelctl"
KIND = "accelctl:kind"
"""What a thing of `setup` is for: network, subnet, store, …"""
JOB = "accelctl:job"
NAME = "accelctl:name"
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


def ours(**more: str) -> dict[str, str]:
    """The labels of something of ours: MANAGED, and these. Keywords are the last words of the keys above."""
    return {MANAGED: MANAGED_VALUE} | {f"accelctl:{name.replace('_', '-')}": value for name, value in more.items()}
