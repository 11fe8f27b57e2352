"""Folders in which something is written without a pause, such as a log beside checkpoints."""

import os
import time


class Restless:
    """Which folders are taken piece by piece, since as a whole they would never be.

    The price: a checkpoint that takes longer than `patience` seconds to write into such a folder may be saved in part.
    """

    def __init__(self, work, patience):
        self._work, self._patience = work, patience
        self._since = {}
        self.opened = set()
        self.news = []
        """Sentences for the journal, to be taken out."""

    def seen(self, entries):
        """Entry -> its files, or None for one that was being written just now."""
        for entry, files in entries.items():
            if files is not None:
                self._since.pop(entry, None)
                continue
            since = self._since.setdefault(entry, self._since.get(os.path.dirname(entry), time.monotonic()))
            if time.monotonic() - since >= self._patience:
                self.open([entry])

    def open(self, entries):
        """Those that are folders are taken piece by piece from now on."""
        for entry in entries:
            if os.path.isdir(os.path.join(self._work, entry)):
                self.opened.add(entry)
                self.news.append("%s is written without a pause: what is quiet in it is saved piece by piece" % entry)
