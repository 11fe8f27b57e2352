"""Which files are being written: /proc tells of every process that has one open for writing, or mapped so."""

import os


def written_below(folder, minded):
    """Real paths below the folder; None where one of the `minded` processes may not be looked into."""
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            found.update(opened("/proc/%s/" % name))
            found.update(mapped("/proc/%s/" % name))
        except PermissionError:
            if int(name) in minded:
                return None
        except OSError:  # it has ended meanwhile
            continue
    below = os.path.join(os.path.realpath(folder), "")
    return {path for path in found if path.startswith(below)}


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
