"""Files that the program replaces while they are looked at: the version that was seen stays readable."""

import os
import shutil

FOLDER = ".accelctl-held"


class Held:
    """A second name for a file: who writes beside it and renames never touches what is held, so it is whole."""

    def __init__(self, work):
        self._work, self._folder = work, os.path.join(work, FOLDER)
        self._links = {}

    def hold(self, relative):
        link = os.path.join(self._folder, str(len(self._links)))
        try:
            os.makedirs(self._folder, exist_ok=True)
            os.link(os.path.join(self._work, relative), link)
        except OSError:  # gone meanwhile, or a file system that has no second names
            return
        self._links[relative] = link

    def path(self, relative):
        """Where the held version is; where the file itself is, if none is held."""
        return self._links.get(relative) or os.path.join(self._work, relative)

    def keep_only(self, relatives):
        self._links = {relative: link for relative, link in self._links.items() if relative in relatives}

    def release(self):
        self._links = {}
        shutil.rmtree(self._folder, ignore_errors=True)
