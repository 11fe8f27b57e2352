"""When something that recurs is next due: rate(…) and cron(…) of EventBridge, and the cron lines of Auto Scaling."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
CRON = re.compile(r"cron\((.+)\)")


def next_after(expression: str, zone: str, now: datetime) -> datetime | None:
    """None for what does not recur. Raises ValueError for what is no such expression."""
    if expression.startswith("at("):
        return None
    if found := RATE.fullmatch(expression):
        return now + timedelta(**{f"{found[2]}s": int(found[1])})
    line = unix(CRON.fullmatch(expression)[1]) if CRON.fullmatch(expression) else expression
    return next(CronSim(line, now.astimezone(ZoneInfo(zone or "UTC")))).astimezone(UTC)


def unix(fields: str) -> str:
    """EventBridge's six fields as the five of Unix: `?` is any, days of the week count from 1, the year goes.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    words = fields.split()
    if len(words) != 6:
        raise ValueError(f"'{fields}' has not six fields")
    words[4] = re.sub(r"(?<![#/\w])[1-7]", lambda day: str(int(day[0]) - 1), words[4])
    return " ".join(word.replace("?", "*") for word in words[:5])
