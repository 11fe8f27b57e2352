"""Whether a machine works: the ladder of evidence, from its own devices down to what the hypervisor sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from provisioner.domain.estate import ALL_DEVICES, AcceleratorKind, Metric, Series
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
    host = known(seen, Metric.CPU, thresholds) and known(seen, Metric.NETWORK, thresholds)
    beating = seen.heartbeat is not None and fresh(seen, thresholds, now)
    if seen.heartbeat is not None and seen.heartbeat.silent:
        return Found(verdict=Verdict.UNKNOWN, reason=f"its devices say nothing: {', '.join(seen.heartbeat.silent)}")
    if not host:
        return Found(verdict=Verdict.UNKNOWN, reason=f"processor or network of the last {hours(quiet)} are not known")
    partly = half_told(seen, thresholds)
    devices = not partly and known(seen, Metric.ACCELERATOR, thresholds)
    if {"accelerator": devices, "heartbeat": beating, "host": True}[quiet.needs]:
        return Found(verdict=Verdict.IDLE, reason=f"nothing above its threshold within {hours(quiet)}")
    if partly:
        return Found(verdict=Verdict.UNKNOWN, reason=partly)
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
    return any(not known(seen, metric, thresholds) for metric in wanted)


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


def known(seen: Observed, metric: Metric, thresholds: Thresholds) -> bool:
    """Whether its series are all there; a mere glimpse says nothing of the rest."""
    whole = whole_series(seen, metric)
    if metric is Metric.ACCELERATOR:
        return bool(whole) and not half_told(seen, thresholds)
    return bool(whole) and all(covers(one, thresholds) for one in whole)


def half_told(seen: Observed, thresholds: Thresholds) -> str:
    """Why what is told of its accelerators is not all of them; empty where it is, or where nothing is told."""
    whole = whole_series(seen, Metric.ACCELERATOR)
    if not whole or seen.accelerator is AcceleratorKind.NONE:
        return ""
    if seen.devices is None:
        return "how many accelerators its type has is not known"
    telling = [one for one in whole if covers(one, thresholds)]
    if stopped := sorted(names(whole) - names(telling)):
        return f"accelerator {stopped[0]} does not tell of the whole time"
    count = max(len(names(telling)), *(one.stands_for for one in telling))
    return f"only {count} of its {seen.devices} accelerators tell what they do" if count < seen.devices else ""


def whole_series(seen: Observed, metric: Metric) -> list[Series]:
    return [one for one in seen.of(metric) if not one.glimpse]


def covers(one: Series, thresholds: Thresholds) -> bool:
    """It has enough of the window's points, and the newest: one that stopped is missing, whatever it said before."""
    return one.coverage >= thresholds.limits.coverage and one.silent_for <= thresholds.limits.heartbeat_fresh


def names(series: Iterable[Series]) -> set[str]:
    """The devices that speak for themselves; what speaks for all together hides who is silent."""
    found = {one.device for one in series}
    return found - {ALL_DEVICES} or found


def fresh(seen: Observed, thresholds: Thresholds, now: datetime) -> bool:
    return seen.heartbeat is not None and now - seen.heartbeat.at <= thresholds.limits.heartbeat_fresh


def age(seen: Observed, now: datetime) -> timedelta:
    return now - seen.instance.launched_at


def hours(quiet: Quiet) -> str:
    return minutes(quiet.window)


def minutes(span: timedelta) -> str:
    whole = round(span.total_seconds() / 60)
    return f"{whole} min" if whole < 120 else f"{whole / 60:.0f} h"
