"""What the agents of a region say, in one listing: each machine's pulse is a name of two hours. See docs/job-layout.md.

Names are judged, not trusted: what cannot be read as a pulse is none, and none is never idle.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from provisioner.domain.estate import Metric, Series
from provisioner.domain.reports import Phase
from provisioner.jobs.objects import Objects

ROOT = "heartbeats"
VERSION = "1"
SLOT = timedelta(minutes=5)
WIDTH = 8
FIELDS = (Metric.ACCELERATOR, Metric.CPU, Metric.NETWORK, Metric.DISK)
DEVICE = "all, by its agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One machine of a job. `slots` are five minutes each, oldest first: the highest of each metric, where known."""

    job: str
    at: datetime
    phase: Phase
    silent: int
    """Devices that say nothing of themselves, such as a GPU cut up by MIG."""
    slots: tuple[dict[Metric, float], ...]

    def series(self, window: timedelta, now: datetime, coverage: float) -> tuple[Series, ...]:
        """The highest within the window; what covers too little of it is a glimpse."""
        ends = [self.at - SLOT * back for back in range(len(self.slots) - 1, -1, -1)]
        within = [slot for slot, end in zip(self.slots, ends, strict=True) if end > now - window]
        found: list[Series] = []
        for metric in FIELDS:
            values = [slot[metric] for slot in within if metric in slot]
            share = min(len(values) * SLOT / window, 1.0)
            if values:
                found.append(
                    Series(
                        metric=metric, values=(max(values),), coverage=share, device=DEVICE, glimpse=share < coverage
                    )
                )
        return tuple(found)


def pulses(objects: Objects, region: str) -> dict[str, Pulse]:
    """By instance, the newest of each. Raises CloudError, ConfigError."""
    found: dict[str, Pulse] = {}
    for stored in objects.listing(f"{ROOT}/{region}"):
        parts = stored.key.split("/")
        pulse = parsed(parts[2], parts[4]) if len(parts) == 5 else None
        if pulse and (parts[3] not in found or pulse.at > found[parts[3]].at):
            found[parts[3]] = pulse
    return found


def parsed(job: str, name: str) -> Pulse | None:
    """None for what is none of this version."""
    try:
        version, at, phase, silent, slots = name.split(".")
        if version != VERSION:
            return None
        return Pulse(
            job=job, at=datetime.fromtimestamp(int(at, 16), UTC), phase=Phase(phase), silent=int(silent),
            slots=tuple(slot(slots[start : start + WIDTH]) for start in range(0, len(slots), WIDTH)),
        )  # fmt: skip
    except (ValueError, OverflowError, OSError):
        return None


def slot(text: str) -> dict[Metric, float]:
    """Two digits for each metric. Raises ValueError."""
    words = {metric: text[2 * place : 2 * place + 2] for place, metric in enumerate(FIELDS)}
    return {metric: value(metric, int(word, 16)) for metric, word in words.items() if word != "--"}


def value(metric: Metric, code: int) -> float:
    """Half percents, or bytes per second in eighths of an octave."""
    return code / 2 if metric in (Metric.ACCELERATOR, Metric.CPU) else 2 ** (code / 8) - 1
