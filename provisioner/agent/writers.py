"""Which files are being written: /proc tells of every process that has one open for writing, or mapped so."""

import os
import signal
import time


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
        found = set()
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                if not outlives(int(name), number):
                    found.update(writes(name))
            except PermissionError:
                self.unseen = self.unseen or int(name) in members
            except OSError:  # it has ended meanwhile
                continue
        self._moments = {**self._moments, **dict.fromkeys(found, time.time_ns())}
        self._names = frozenset(map(os.path.basename, self._moments))

    def has(self, path):
        """Whether it was being written then, whatever became of it."""
        named = os.path.basename(path) in self._names or os.path.islink(path)  # quick: there may be very many files
        return named and os.path.realpath(path) in self._moments

    def left_half(self, path, modified_ns):
        """Whether nobody has written it since."""
        return self.has(path) and modified_ns <= self._moments[os.path.realpath(path)]


def outlives(pid, number):
    """Whether it catches that signal, or ignores it."""
    return number != signal.SIGKILL and any(has_in(mask, pid, number) for mask in ("SigCgt:", "SigIgn:"))


def has_in(mask, pid, number):
    """Whether that signal is in one of the process' masks, such as that of those that it catches."""
    with open("/proc/%d/status" % pid, errors="replace") as status:  # it begins with a name cut anywhere
        (held,) = [line.split()[1] for line in status if line.startswith(mask)]
    return bool(int(held, 16) >> (number - 1) & 1)


def writes(name):
    yield from opened("/proc/%s/" % name)
    yield from mapped("/proc/%s/" % name)


def opened(process):
    for number in os.listdir(process + "fd"):
        try:
            path = os.readlink(process + "fd/" + number)
            if path.startswith("/") and is_for_writing(process + "fdinfo/" + number):
                yield path
        except FileNotFoundError:  # closed meanwhile
            continue


def is_for_writing(info):
    with open(info) as lines:
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def mapped(process):
    """Shared mappings that may be written: what a program changes in them reaches the file with no file open."""
    with open(process + "maps", errors="surrogateescape") as lines:
        for line in lines:
            words = line.rstrip("\n").split(None, 5)
            if len(words) == 6 and words[1].startswith("rw-s"):
                yield words[5]
