"""One rule for every stack: nothing is made once its end has passed, since nothing would end it."""

from datetime import UTC, datetime, timedelta

import pulumi

A_YEAR = timedelta(days=365)
"""A cron line has no year."""


def in_time(
    name: str, at: pulumi.Output[str], *, made: pulumi.Output[str] | None = None, ahead: timedelta = timedelta()
) -> pulumi.ResourceHook:
    """For `before_create` of what ends at that moment, at preview too. What is there already stays as it is.

    `made` is a moment by the cloud's own clock, which this computer's may lag behind; `ahead` is how long before its
    end a thing is made at the latest.
    """

    async def refuse(_: pulumi.ResourceHookArgs) -> None:
        if not (moment := await at.future()):
            return
        said = await made.future() if made is not None else None
        refuse_late(moment, latest(said, datetime.now(UTC)) + ahead)

    return pulumi.ResourceHook(f"{name}-end", refuse, pulumi.ResourceHookOptions(on_dry_run=True))


def latest(said: str | None, now: datetime) -> datetime:
    return max(now, datetime.fromisoformat(said.replace("Z", "+00:00"))) if said else now


def refuse_late(at: str, now: datetime) -> None:
    """Raises RunError for a moment that has passed, or that cron would find in another year."""
    if not now < datetime.fromisoformat(at) <= now + A_YEAR:
        raise pulumi.RunError(
            f"the end of this stack is {at}: past, too near or more than a year away. What is made now had no end.\n"
            "hint: pulumi config set endAfter to another duration, or pulumi destroy."
        )
