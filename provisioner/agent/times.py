"""Moments as the documents write them."""

import datetime
import time


def written(seconds):
    """RFC 3339 UTC of seconds since the epoch."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now():
    return written(time.time())


def read(text):
    """Seconds since the epoch of an RFC 3339 time in UTC; None for nothing."""
    if not text:
        return None
    plain = text.replace("Z", "+00:00")
    if "." in plain:  # Python 3.9 wants three or six digits of a second
        head, _, tail = plain.partition(".")
        digits, _, zone = tail.partition("+")
        plain = "%s.%s+%s" % (head, (digits + "000000")[:6], zone)
    return datetime.datetime.fromisoformat(plain).timestamp()
