"""Which files are being written: /proc tells of every process that has one open for writing, or mapped so."""

import os
import signal
import time

JUST_NOW = 3 * 10**9
"""Nanoseconds in which who was writing a file had written to it last: what rests for longer is open, and no more."""

LOG = 60
"""Seconds; nobody takes as long to write one file of a checkpoint."""


class Cuts:
    """Files that our signals cut somebody off from writing."""

    def __init__(self):
        self._moments = {}
        """Real path -> when, in nanoseconds."""
        self._names = frozenset()
        self.unseen = False
        """Whether a process could not be looked into: then any file may be half."""

    def look(self, members, number):
        """Before that signal goes to those processes, which stand still: one that outlives it writes on."""
        cut, kept = set(), set()
        for pid in members:
            try:
                (kept if outlives(pid, number) else cut).update(writes(pid))
            except PermissionError:
                self.unseen = True
            except OSError:  # it has ended meanwhile
                continue
        self._moments = {**self._moments, **dict.fromkeys(cut - kept, time.time_ns())}
        self._names = frozenset(map(os.path.basename, self._moments))

    def has(self, path):
        """Whether it was being written then, whatever became of it."""
        named = os.path.basename(path) in self._names or os.path.islink(path)  # quick: there may be very many files
        return named and os.path.realpath(path) in self._moments

    def left_half(self, path, modified_ns):
        """Whether it was written to the last, and by nobody since."""
        return self.has(path) and 0 <= self._moments[os.path.realpath(path)] - modified_ns < JUST_NOW


class Growth:
    """Since when each file has only grown, as far as anybody has looked."""

    def __init__(self):
        self._seen = {}

    def look(self, found):
        """`found` has path -> stamp of all that is there."""
        now, before, self._seen = time.time(), self._seen, {}
        for path, (size, _, inode, _) in found:
            was = before.get(path)
            grows = was is not None and was[0] == inode and was[1] <= size
            self._seen[path] = (inode, size, was[2] if grows else now)

    def is_log(self, path, stamp):
        """Whether it has only grown for so long that it is no checkpoint that was being written."""
        inode, size, since = self._seen.get(path, (None, 0, 0))
        return inode == stamp[2] and size <= stamp[0] and time.time() - since >= LOG


def outlives(pid, number):
    """Whether it catches that signal, or ignores it."""
    return number != signal.SIGKILL and any(has_in(mask, pid, number) for mask in ("SigCgt:", "SigIgn:"))


def has_in(mask, pid, number):
    """Whether that signal is in one of the process' masks, such as that of those that it catches."""
    with open("/proc/%d/status" % pid, errors="replace") as status:  # it begins with a name cut anywhere
        (held,) = [line.split()[1] for line in status if line.startswith(mask)]
    return bool(int(held, 16) >> (number - 1) & 1)


def writes(pid):
    yield from opened("/proc/%d/" % pid)
    yield from mapped("/proc/%d/" % pid)


def opened(process):
    for number in os.listdir(process + "fd"):
        try:
            path = os.readlink(process + "fd/" + number)
            if path.startswith("/") and is_for_writing(process + "fdinfo/" + number):
                yield path
        except FileNotFoundError:  # closed meanwhile
            continue


def is_for_writing(info):
    """Of a file that is only appended to, a log, the part that is there is good."""
    with open(info) as lines:
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) and not flags & os.O_APPEND


def mapped(process):
    """Shared mappings that may be written: what a program changes in them reaches the file with no file open."""
    with open(process + "maps", errors="surrogateescape") as lines:
        for line in lines:
            words = line.rstrip("\n").split(None, 5)
            if len(words) == 6 and words[1].startswith("rw-s"):
                yield words[5]
