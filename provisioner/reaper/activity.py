"""Whether a machine works: the ladder of evidence, from its own devices down to what the hypervisor sees."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from provisioner.domain.estate import AcceleratorKind, Metric, Series
from provisioner.domain.reports import Phase
from provisioner.reaper.observed import Observed
from provisioner.reaper.thresholds import Quiet, Thresholds

UNITS = {
    Metric.ACCELERATOR: "%", Metric.ACCELERATOR_MEMORY: "%", Metric.CPU: "%", Metric.NETWORK: " B/s",
    Metric.DISK: " B/s",
}  # fmt: skip
WORDS = {Phase.RESTORE: "restores its checkpoint", Phase.SETUP: "is being set up", Phase.SAVE: "uploads a checkpoint"}


class Verdict(StrEnum):
    """What a machine is."""

    BUSY = "busy"
    IDLE = "idle"
    SUSPECT = "suspect"
    """It looks idle to those who cannot see its accelerators."""
    UNKNOWN = "unknown"
    PAST_END = "past-end"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A verdict with its reason."""

    verdict: Verdict
    reason: str


def activity(seen: Observed, thresholds: Thresholds, now: datetime) -> Found:
    """The first rung that holds decides; unknown is never idle."""
    if seen.session_open:
        return Found(verdict=Verdict.BUSY, reason="somebody is logged in")
    if seen.heartbeat and fresh(seen, thresholds, now) and seen.heartbeat.phase in WORDS:
        return Found(verdict=Verdict.BUSY, reason=f"it {WORDS[seen.heartbeat.phase]}")
    quiet = thresholds.quiet[seen.accelerator]
    if loud := loudest(seen, quiet):
        return Found(verdict=Verdict.BUSY, reason=f"{loud} within {hours(quiet)}")
    if age(seen, now) < thresholds.limits.minimum_age:
        return Found(verdict=Verdict.UNKNOWN, reason=f"it is {minutes(age(seen, now))} old, too young to judge")
    if seen.unreadable:
        return Found(verdict=Verdict.UNKNOWN, reason=f"could not be read: {', '.join(seen.unreadable)}")
    return quiet_verdict(seen, thresholds, quiet, now)


def quiet_verdict(seen: Observed, thresholds: Thresholds, quiet: Quiet, now: datetime) -> Found:
    """Nothing was loud: is there enough evidence to call that idle?"""
    coverage = thresholds.limits.coverage
    host = complete(seen.of(Metric.CPU), coverage) and complete(seen.of(Metric.NETWORK), coverage)
    devices = complete(seen.of(Metric.ACCELERATOR), coverage)
    beating = seen.heartbeat is not None and fresh(seen, thresholds, now)
    if seen.heartbeat is not None and seen.heartbeat.silent:
        return Found(verdict=Verdict.UNKNOWN, reason=f"its devices say nothing: {', '.join(seen.heartbeat.silent)}")
    if not host:
        return Found(verdict=Verdict.UNKNOWN, reason=f"processor or network of the last {hours(quiet)} are not known")
    enough = {"accelerator": devices, "heartbeat": devices or beating, "host": True}[quiet.needs]
    if enough:
        return Found(verdict=Verdict.IDLE, reason=f"nothing above its threshold within {hours(quiet)}")
    if seen.heartbeat is not None and not beating:
        silent = f"its agent has been silent for {minutes(now - seen.heartbeat.at)}"
        return Found(verdict=Verdict.UNKNOWN, reason=f"{silent} and its accelerators are not seen")
    return Found(verdict=Verdict.SUSPECT, reason=f"a quiet host for {hours(quiet)}, but its accelerators are not seen")


def lacking(seen: Observed, metrics: frozenset[Metric], thresholds: Thresholds, now: datetime) -> bool:
    """Whether these are still to be asked for: not what its agent has told, nor cores that are silent by design."""
    if seen.unreadable:
        return False
    by_design = thresholds.quiet[seen.accelerator].needs == "heartbeat" and fresh(seen, thresholds, now)
    wanted = metrics - {Metric.ACCELERATOR} if by_design else metrics
    return any(not complete(seen.of(metric), thresholds.limits.coverage) for metric in wanted)


def loudest(seen: Observed, quiet: Quiet) -> str:
    """The first series at or above its threshold, in words; empty where none is. Partial series count too."""
    limits = {
        Metric.ACCELERATOR: quiet.accelerator_below, Metric.CPU: quiet.cpu_below, Metric.NETWORK: quiet.network_below,
        Metric.DISK: quiet.disk_below,
    }  # fmt: skip
    for metric, limit in limits.items():
        if metric is Metric.ACCELERATOR and seen.accelerator is AcceleratorKind.NONE:
            continue
        for series in seen.of(metric):
            if series.values and series.highest >= limit:
                return told(series)
    return ""


def told(series: Series) -> str:
    name = f"{series.metric} {series.device}".strip()
    return f"{name} reached {series.highest:,.0f}{UNITS[series.metric]}"


def complete(series: tuple[Series, ...], coverage: float) -> bool:
    """Every series covers enough of the window, and there is one; a mere glimpse says nothing of the rest."""
    whole = [one for one in series if not one.glimpse]
    return bool(whole) and all(one.coverage >= coverage for one in whole)


def fresh(seen: Observed, thresholds: Thresholds, now: datetime) -> bool:
    return seen.heartbeat is not None and now - seen.heartbeat.at <= thresholds.limits.heartbeat_fresh


def age(seen: Observed, now: datetime) -> timedelta:
    return now - seen.instance.launched_at


def hours(quiet: Quiet) -> str:
    return minutes(quiet.window)


def minutes(span: timedelta) -> str:
    whole = round(span.total_seconds() / 60)
    return f"{whole} min" if whole < 120 else f"{whole / 60:.0f} h"
