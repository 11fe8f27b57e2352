"""When the schedules of the clouds run: once, at a rate, or by a cron line, of Unix or of EventBridge."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

ONCE = re.compile(r"at\((.+)\)")
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
OF_AWS = re.compile(r"cron\((.+)\)")
PART = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {name: number for names, first in ((MONTHS, 1), (DAYS, 0)) for number, name in enumerate(names, first)}
SATURDAY = 6
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, SATURDAY), (1970, 2199))
"""Of the minute, the hour, the day, the month, the day of the week (from Sunday), and the year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """`runs` is at(…), rate(…), cron(…) or a cron line, by the clocks of `zone`, between two moments."""

    runs: str
    zone: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def within(self, now: datetime, limit: timedelta) -> bool:
        """Whether it runs again by then. What nobody can read runs never."""
        try:
            start, last = max(now, self.since or now), min(now + limit, self.until or now + limit)
            at_once = start > now and RATE.fullmatch(self.runs)  # a rate's first run is that of its start
            found = [start] if at_once else moments(self.runs, clocks(self.zone), start, last)
            return any(start <= one <= last for one in found)
        except (ArithmeticError, LookupError, ValueError):
            return False


def clocks(zone: str) -> tzinfo:
    """UTC for what this computer does not know, such as Azure's names: at most a day from the truth."""
    try:
        return ZoneInfo(zone or "UTC")
    except (LookupError, OSError, ValueError):
        return UTC


def moments(runs: str, zone: tzinfo, start: datetime, last: datetime) -> Iterator[datetime]:
    """The first after the start, and maybe more. Raises ValueError or LookupError for what is no such expression."""
    if once := ONCE.fullmatch(runs):
        moment = datetime.fromisoformat(once[1].replace("Z", "+00:00"))
        yield moment if moment.tzinfo else moment.replace(tzinfo=zone)
    elif rate := RATE.fullmatch(runs):
        yield start + timedelta(**{f"{rate[2]}s": int(rate[1])})
    elif of_aws := OF_AWS.fullmatch(runs):
        yield from by_cron(of_aws[1].split(), zone, start, last, sunday=1)
    else:
        yield from by_cron([*runs.split(), "*"], zone, start, last, sunday=0)


def by_cron(words: list[str], zone: tzinfo, start: datetime, last: datetime, *, sunday: int) -> Iterator[datetime]:
    """All moments of the days from the first to the last. Days of the week are counted from `sunday`."""
    minutes, hours, days, months, weekdays, years = (
        numbers(word, low, high, shift=sunday if high == SATURDAY else 0)
        for word, (low, high) in zip(words, BOUNDS, strict=True)
    )
    either = not {words[2][0], words[4][0]} & {"*", "?"}  # where both days are said, one of them will do
    for passed in range((last - start).days + 2):
        day = start.astimezone(zone) + timedelta(days=passed)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        if day.month in months and day.year in years and (any(fits) if either else all(fits)):
            yield from (day.replace(hour=hour, minute=minute, second=0) for hour in hours for minute in minutes)


def numbers(word: str, low: int, high: int, *, shift: int) -> set[int]:
    """What a field of a cron line stands for; days of the week go round. Raises ValueError for no such field."""
    found, week = set[int](), 7 if high == SATURDAY else 0
    for part in word.split(","):
        read = PART.fullmatch(part)
        if not read:
            raise ValueError(part)
        whole = read[1] in ("*", "?")
        first = low if whole else number(read[1], shift)
        last = number(read[2], shift) if read[2] else high if whole or read[3] else first
        span = range(first, last + 1 + (week if last < first else 0), int(read[3] or 1))
        found |= {one % week if week else one for one in span}
    if not all(low <= one <= high for one in found):
        raise ValueError(word)
    return found


def number(word: str, shift: int) -> int:
    """Of a name, which may be written out, or of a number. Raises ValueError for neither."""
    named = NAMES.get(word[:3].lower())
    return int(word) - shift if named is None else named
