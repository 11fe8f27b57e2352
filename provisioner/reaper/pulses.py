"""What the agents of a region say, in one listing: each machine's pulse is a name of two hours. See docs/job-layout.md.

Names are judged, not trusted: what cannot be read as a pulse is none, and none is never idle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from provisioner.domain.estate import Metric, Series
from provisioner.domain.reports import Phase
from provisioner.jobs.objects import Objects

ROOT = "heartbeats"
FIELDS_MORE = {"1": 0, "2": 2, "3": 3}
"""By version: agents of before have no word of sessions and of each device, nor of the devices' memory."""
NOT_TOLD = "-"
SLOT = timedelta(minutes=5)
WIDTH = 8
FIELDS = (Metric.ACCELERATOR, Metric.CPU, Metric.NETWORK, Metric.DISK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One machine of a job. `slots` are five minutes each, oldest first: the highest of each metric, where known."""

    job: str
    at: datetime
    phase: Phase
    silent: int
    """Devices that say nothing of themselves, such as a GPU cut up by MIG."""
    slots: tuple[dict[Metric, float], ...]
    sessions: int | None = None
    """Open ones; None where the agent cannot tell."""
    devices: tuple[float | None, ...] = ()
    """Each accelerator's highest percent of the newest five minutes; None where it says nothing."""

    memory: tuple[float | None, ...] = ()
    """How much of each accelerator's memory was held at most in the newest five minutes, in percent."""

    @property
    def spokesman(self) -> str:
        """For how many devices its highest value stands."""
        return f"highest of {len(self.devices)}, by its agent" if self.devices else "all, by its agent"

    def series(self, window: timedelta, now: datetime, coverage: float) -> tuple[Series, ...]:
        """The highest within the window; what covers too little of it is a glimpse."""
        ends = [self.at - SLOT * back for back in range(len(self.slots) - 1, -1, -1)]
        within = [slot for slot, end in zip(self.slots, ends, strict=True) if end > now - window]
        found: list[Series] = []
        for metric in FIELDS:
            backs = [back for back, slot in enumerate(reversed(within)) if metric in slot]
            share = min(len(backs) * SLOT / window, 1.0)
            if backs:
                found.append(
                    Series(
                        metric=metric,
                        values=(max(slot[metric] for slot in within if metric in slot),),
                        coverage=share,
                        device=self.spokesman,
                        glimpse=share < coverage,
                        stands_for=max(len(self.devices), 1),
                        silent_for=SLOT * min(backs),
                    )
                )
        return (*found, *self._held(window))

    def _held(self, window: timedelta) -> Iterator[Series]:
        """Of each device that tells."""
        for number, percent in enumerate(self.memory):
            if percent is not None:
                yield Series(
                    metric=Metric.ACCELERATOR_MEMORY, values=(percent,), device=f"{number}, by its agent",
                    coverage=min(SLOT / window, 1.0), glimpse=True,
                )  # fmt: skip


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
        version, at, phase, silent, *more, slots = name.split(".")
        if FIELDS_MORE.get(version) != len(more):
            return None
        sessions, devices, memory = (*more, *(NOT_TOLD, "", "")[len(more) :])
        return Pulse(
            job=job, at=datetime.fromtimestamp(int(at, 16), UTC), phase=Phase(phase), silent=int(silent),
            slots=tuple(slot(slots[start : start + WIDTH]) for start in range(0, len(slots), WIDTH)),
            sessions=None if sessions == NOT_TOLD else int(sessions), devices=tuple(each(devices)),
            memory=tuple(each(memory)),
        )  # fmt: skip
    except (ValueError, OverflowError, OSError):
        return None


def each(text: str) -> Iterator[float | None]:
    """Two digits for each device. Raises ValueError."""
    if len(text) % 2:
        raise ValueError(text)
    for start in range(0, len(text), 2):
        word = text[start : start + 2]
        yield None if word == "--" else value(Metric.ACCELERATOR, int(word, 16))


def slot(text: str) -> dict[Metric, float]:
    """Two digits for each metric. Raises ValueError."""
    words = {metric: text[2 * place : 2 * place + 2] for place, metric in enumerate(FIELDS)}
    return {metric: value(metric, int(word, 16)) for metric, word in words.items() if word != "--"}


def value(metric: Metric, code: int) -> float:
    """Half percents, or bytes per second in eighths of an octave."""
    return code / 2 if metric in (Metric.ACCELERATOR, Metric.CPU) else 2 ** (code / 8) - 1
