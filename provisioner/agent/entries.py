"""What the program has written, entry by entry, and which of it is whole."""

import os
import stat
import time

from .held import Held
from .links import within
from .restless import Restless
from .writers import Cuts, Growth

SETTLE = 0.5
RESTLESS = 600.0
"""Seconds after which a folder that is never quiet is taken piece by piece, or two intervals of saving."""
SETTLE_IN_A_HURRY = 0.2


def ignored(name):
    """Names that are never part of a checkpoint."""
    return name.startswith(".") or name.endswith(".partial") or ".orbax-checkpoint-tmp" in name


class Entries:
    """What lies in the folders that are saved: an entry is a file or a folder there, taken whole or not at all.

    Each look gives entry -> {path: stamp} of its regular files and kept links.
    """

    def __init__(self, task, work):
        self._work, self.folders = work, [task["checkpoint_dir"], task["outputs_dir"]]
        patience = task.get("restless_after_seconds") or max(RESTLESS, 2 * task["checkpoint_every_seconds"])
        self.restless = Restless(work, patience)
        self.held = Held(work)
        self.torn_since = None
        """When set: what was written after that moment, when the program was cut off, may be half."""
        self.cuts = Cuts()
        """The files that were being written when a process was ended. Any other one is whole, a folder maybe not."""
        self._growth = Growth()
        self.torn = []
        """Entries that the last look passed over for that."""

    def at_rest(self, sent):
        """All of them, since nobody writes any more; None for one that the program was cut off from."""
        return self._untorn(self._scan(), sent)

    def quiet(self, hurry, sent):
        """Those that nobody writes just now: what is in them, or None for one that is being written.

        `sent` has path -> (stamp, name) of the files that the store has already.
        """
        first = self._scan()
        self._growth.look(item for found in first.values() for item in found.items())
        for entry, found in first.items():
            if list(found) == [entry] and sent.get(entry, [None])[0] != found[entry]:
                self.held.hold(entry)
        time.sleep(SETTLE_IN_A_HURRY if hurry else SETTLE)
        second = self._scan()
        entries = {entry: None for entry in first if entry not in second}
        entries.update({entry: found if first.get(entry) == found else None for entry, found in second.items()})
        replaced = {
            entry: first[entry] for entry, found in entries.items() if not found and self._is_whole(entry, first)
        }
        entries.update(replaced)
        self.held.keep_only(replaced)
        self.restless.seen(entries)
        return self._untorn(entries, sent)

    def under_change(self, folder):
        """Whether something is written there under a name that is never taken, or was until the program was cut off."""
        names = listed(os.path.join(self._work, folder))
        return self.torn_since is not None or any(ignored(name) for name in names)

    def _untorn(self, entries, sent):
        self.torn = [
            entry for entry, found in entries.items() if found is not None and self._is_torn(found, entry, sent)
        ]
        return {entry: None if entry in self.torn else found for entry, found in entries.items()}

    def _is_torn(self, found, entry, sent):
        if any(self._is_half(path, seen, sent.get(path, [None])[0]) for path, seen in found.items()):
            return True
        cut_off = self.torn_since is not None and self._touched(entry, found) > self.torn_since * 1e9
        return cut_off and not self._was_closed(entry, found)

    def _is_half(self, path, seen, sent):
        """Not what the store has as it is, nor a log, of which every line is good."""
        known = seen == sent or self._growth.is_log(path, seen)
        return not known and self.cuts.left_half(os.path.join(self._work, path), seen[1])

    def _was_closed(self, entry, found):
        """Whereas nobody knows of a folder whether all its files were there."""
        alone = list(found) == [entry] and not self.cuts.unseen
        return alone and not self.cuts.has(os.path.join(self._work, entry))

    def _touched(self, entry, found):
        """When one of its files was written, or one of its folders lost or gained something, last."""
        folders = {entry}
        for path in found:
            while path != entry:
                path = os.path.dirname(path)
                folders.add(path)
        return max([stamp[1] for stamp in found.values()] + [self._changed(folder) for folder in folders])

    def _changed(self, folder):
        try:
            return os.lstat(os.path.join(self._work, folder)).st_mtime_ns
        except OSError:  # gone meanwhile
            return 0

    def _is_whole(self, entry, first):
        """A file that has another one in its place by now, and was not written since it was first seen."""
        try:
            return first.get(entry) == {entry: stamp(os.stat(self.held.path(entry)))}
        except OSError:  # it was not held, and is gone
            return False

    def _scan(self):
        """Top-level entry -> {path: stamp} of its regular files."""
        return {entry: dict(self._files(entry)) for folder in self.folders for entry in self._entries(folder)}

    def _entries(self, folder):
        for name in listed(os.path.join(self._work, folder)):
            entry = os.path.join(folder, name)
            if ignored(name):
                continue
            if entry in self.restless.opened:
                yield from self._entries(entry)
            else:
                yield entry

    def _files(self, entry):
        for relative in sorted(self._paths(entry)):
            full = os.path.join(self._work, relative)
            try:
                status = os.lstat(full) if self._is_link(full) else os.stat(full)
            except OSError:  # gone meanwhile, or a link that leads nowhere or to itself
                continue
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield relative, stamp(status)

    def _paths(self, relative, above=()):
        """Files and kept links from there on; a folder that a link makes part of itself is taken once."""
        path = os.path.join(self._work, relative)
        if self._is_link(path) or not os.path.isdir(path):
            return [relative]
        real = os.path.realpath(path)
        try:
            names = [] if real in above else os.listdir(path)
        except OSError:  # gone meanwhile
            return []
        return [found for name in names for found in self._paths(os.path.join(relative, name), (*above, real))]

    def _is_link(self, path):
        """A link that stays within the work folder is kept as a link; any other is what it leads to."""
        try:
            return within(self._work, path, os.readlink(path))
        except OSError:  # no link
            return False


def stamp(status):
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_mode


def listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:  # not there, or gone meanwhile
        return []
