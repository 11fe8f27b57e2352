"""The pulse: one empty object whose name says what this machine did in the last two hours.

A listing of the region's pulses shows thousands of machines, a thousand to a page, and none is read by itself. The
name is <version>.<time>.<phase>.<silent devices>.<sessions>.<devices>.<memory>.<slots>: see docs/job-layout.md.
"""

import glob
import math
import time

from . import sessions
from .aws import Unreachable
from .store import Denied, Missing
from .utilisation import NO_RUNTIME

SLOT = 300.0
SLOTS = 24
NONE = "--"
NO_DEVICES = ("cpu", "none")
"""Kinds of samples that are of no accelerator."""


class Pulse:
    """Samples with every heartbeat; writes at the end of each slot, and when the phase or who is logged in changes."""

    def __init__(self, imds, store, boarding, instance_id):
        self._imds, self._store = imds, store
        self._job, self._instance = boarding["job"], instance_id
        self._place = self._written = None
        self._slots, self._said, self._shut = [], None, False
        self._begin()

    def _begin(self):
        self._since, self._moved = time.monotonic(), moved()
        self._peaks, self._held, self._cpu = {}, {}, None

    def beat(self, phase, devices):
        """Quietly: a store that refuses is not asked again."""
        known = [one for one in devices if one["percent"] is not None]
        self._cpu = highest(self._cpu, [one["percent"] for one in known if one["kind"] == "cpu"])
        for one in devices:
            if one["kind"] not in NO_DEVICES:
                keep(self._peaks, one["device"], one["percent"])
                keep(self._held, one["device"], one["memory_percent"])
        full = time.monotonic() - self._since >= SLOT
        said = (phase, sum(silent(one) for one in devices), sessions.count())
        newest = ".".join("".join(percent(peak) for peak in each.values()) for each in (self._peaks, self._held))
        if full:
            self._slots = [*self._slots, self._slot()][-SLOTS:]
            self._begin()
        if full or said != self._said:
            self._write(said, newest)

    def _slot(self):
        """Eight characters: accelerators, processors, network, disk."""
        seconds = time.monotonic() - self._since
        rates = [(after - before) / seconds for before, after in zip(self._moved, moved())]
        busiest = highest(None, self._peaks.values())
        return "".join([percent(busiest), percent(self._cpu)] + [rate(one) for one in rates])

    def _write(self, said, newest):
        """The new name first: the machine is never without one."""
        phase, mute, people = said
        told = (int(time.time()), phase, mute, "-" if people is None else people, newest, "".join(self._slots))
        name = "3.%x.%s.%d.%s.%s.%s" % told
        if self._shut:
            return
        try:
            self._place = self._place or "heartbeats/%s/%s/%s/" % (self._imds.region(), self._job, self._instance)
            self._store.put(self._place + name, b"")
            self._forget(self._written)
            self._said, self._written = said, name
        except (Denied, Missing):
            self._shut = True
        except Unreachable:
            return

    def end(self):
        """The machine goes home, and its pulse with it."""
        try:
            self._forget(self._written)
        except (Denied, Missing, Unreachable):
            return

    def _forget(self, name):
        if name:
            self._store.delete(self._place + name)


def silent(device):
    """Whether it is a device that says nothing of itself: such as a GPU cut up by MIG."""
    mute = device["percent"] is None and device["kind"] not in NO_DEVICES
    return mute and device["reason"] != NO_RUNTIME


def keep(peaks, device, value):
    peaks[device] = highest(peaks.get(device), [value])


def highest(before, values):
    return max([value for value in [before, *values] if value is not None], default=None)


def percent(value):
    """Half percents in two digits, rounded up."""
    return NONE if value is None else "%02x" % min(math.ceil(value * 2), 255)


def rate(value):
    """Bytes per second on a scale of eighths of an octave, rounded up."""
    return "%02x" % min(math.ceil(8 * math.log2(max(value, 0) + 1)), 255)


def moved():
    """Bytes so far: over every network but the loopback, and to and from every disk."""
    network = disk = 0
    with open("/proc/net/dev") as file:
        for line in file:
            name, _, counts = line.partition(":")
            if counts and name.strip() != "lo":
                words = counts.split()
                network += int(words[0]) + int(words[8])
    for path in glob.glob("/sys/block/[!lr]*/stat"):
        try:
            with open(path) as file:
                words = file.read().split()
        except OSError:  # a disk that was just taken off
            continue
        disk += 512 * (int(words[2]) + int(words[6]))
    return network, disk
