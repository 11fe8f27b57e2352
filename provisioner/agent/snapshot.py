"""Checkpoints: what the program has saved goes to the store, entry by entry, and counts once its manifest is there."""

import hashlib
import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor, wait

from . import times
from .content import content_of
from .entries import Entries, stamp
from .manifests import blobs, by_entry, files_of
from .pieces import Changed
from .store import Exists

KEEP = 3
LINK = stat.S_IFLNK | 0o777
LANES = 8


class Snapshots:
    """The folders of one job on this machine. Not thread-safe: one caller at a time."""

    def __init__(self, store, boarding, task, work):
        self._store, self._prefix, self._work = store, boarding["prefix"], work
        self.entries = Entries(task, work)
        self._boarding = boarding
        self._hashes = {}
        self._known = set()
        self._kept = []
        """(sequence, blobs) of the manifests in the store, oldest first."""
        self._waste = set()
        """Keys that go with the next pruning: damaged manifests, blobs that no manifest names."""
        self.last = None
        """The newest manifest, as it was written or restored."""
        self.unsent = []
        """Entries that looked whole the last time and were not: they changed meanwhile, or cannot be read."""
        self._lanes = ThreadPoolExecutor(LANES)
        self.pruning = True
        """Off once the machine is about to go: the next one may already lean on what this one would remove."""

    def adopt(self, manifests):
        """Takes over what earlier attempts saved: manifests in the store, oldest first; the last one was restored.

        Only blobs of that one count as sent, since they alone were verified.
        """
        self._kept = [(manifest["sequence"], blobs(manifest)) for manifest in manifests]
        self.last = manifests[-1] if manifests else None
        self._known = blobs(self.last) if self.last else set()
        for file in files_of(self.last) if self.last else []:
            path = os.path.join(self._work, file["path"])
            if os.path.isfile(path) and not stat.S_ISLNK(file["mode"]):
                self._hashes[file["path"]] = (stamp(os.stat(path)), file["sha256"])

    def sequence_after(self, taken, damaged):
        """The next number is above every one that is in the store; damaged ones and lost blobs go in time."""
        self._floor = taken
        named = set().union(*[names for _, names in self._kept])
        lost = {key for key in self._store.list(self._prefix + "blobs/") if key.rsplit("/", 1)[1] not in named}
        self._waste = lost | {self._manifest_key(number) for number in damaged}

    def _manifest_key(self, number):
        return "%scheckpoints/%08d.json" % (self._prefix, number)

    def take(self, at_rest=False, hurry=False):
        """Uploads what changed; the new manifest, or None where nothing did. Raises Unreachable, Denied.

        `at_rest` says that nobody writes any more, so that everything is taken as it is.
        """
        try:
            return self._take(
                self.entries.at_rest(self._hashes) if at_rest else self.entries.quiet(hurry, self._hashes)
            )
        finally:
            self.entries.held.release()

    def _take(self, entries):
        before = by_entry(self.last, self.entries.folders, self.entries.restless.opened)
        found = self._with_what_stands(self._send(entries), before)
        files = [file for entry in sorted(found) for file in found[entry]]
        return self._commit(files) if self._differs(files) else None

    def _with_what_stands(self, sent, before):
        """Entry -> its files: those just sent, and of what is on its way out or in the files that it had before."""
        found = {entry: before.get(entry, []) if files is None else files for entry, files in sent.items()}
        moving = {os.path.dirname(entry) for entry, files in sent.items() if files is None}
        fresh = {os.path.dirname(entry) for entry, files in sent.items() if files and entry not in before}
        for entry in set(before) - with_files(found):
            folder = os.path.dirname(entry)
            if folder not in fresh and (folder in moving or self.entries.under_change(folder)):
                found[entry] = before[entry]  # its successor is not whole yet
        checkpoints = os.path.join(self.entries.folders[0], "")
        if not any(entry.startswith(checkpoints) for entry in with_files(found)):  # never the last one
            found.update({entry: files for entry, files in before.items() if entry.startswith(checkpoints)})
        return found

    def _differs(self, files):
        old = {(f["path"], f["sha256"], f["mode"]) for f in files_of(self.last)} if self.last else set()
        return {(f["path"], f["sha256"], f["mode"]) for f in files} != old

    def _send(self, entries):
        """Entry -> its files as a manifest lists them, all of them in the store; None where one changed meanwhile."""
        under_way = {
            entry: [self._lanes.submit(self._send_file, *item) for item in stamps.items()]
            for entry, stamps in sorted(entries.items())
            if stamps is not None
        }
        try:
            sent = {entry: unchanged(under_way.get(entry)) for entry in entries}
            self.unsent = [entry for entry in under_way if sent[entry] is None]
            return sent
        finally:
            everything = [one for found in under_way.values() for one in found]
            for one in everything:
                one.cancel()
            wait(everything)

    def _send_file(self, relative, known_stamp):
        path = self.entries.held.path(relative)
        if stat.S_ISLNK(known_stamp[3]):
            return self._send_link(relative, path, known_stamp)
        held = self._hashes.get(relative)
        content = None
        if not (held and held[0] == known_stamp and held[1] in self._known):
            content = content_of(path)
        status, name = os.stat(path), content.name if content else held[1]
        if stamp(status) != known_stamp:
            raise Changed(path)
        if name not in self._known:
            self._store.upload("%sblobs/%s" % (self._prefix, name), path, content)
            self._known.add(name)
        self._hashes[relative] = (known_stamp, name)
        return {"path": relative, "bytes": status.st_size, "sha256": name, "mode": stat.S_IMODE(status.st_mode),
                "modified_ns": status.st_mtime_ns}  # fmt: skip

    def _send_link(self, relative, path, known_stamp):
        """As git has it: the content is where the link leads, and the mode says that it is one."""
        content = os.fsencode(os.readlink(path))
        if stamp(os.lstat(path)) != known_stamp:  # it leads on by now, maybe to what this manifest lacks
            raise Changed(path)
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 not in self._known:
            self._store.put("%sblobs/%s" % (self._prefix, sha256), content)
            self._known.add(sha256)
        return {"path": relative, "bytes": len(content), "sha256": sha256, "mode": LINK,
                "modified_ns": os.lstat(path).st_mtime_ns}  # fmt: skip

    def _commit(self, files):
        """Writes the manifest under the next free number; then what nobody names any more goes."""
        newest = max([file["modified_ns"] for file in files], default=0) / 1e9 or time.time()
        manifest = {
            "version": 2, "job": self._boarding["job"], "attempt": self._boarding["attempt"],
            "world_size": self._boarding["nodes"], "at": times.written(newest) if files else self.last["at"],
            "bytes": sum(file["bytes"] for file in files), "parts": [{"rank": self._boarding["rank"], "files": files}],
        }  # fmt: skip
        while True:
            self._floor += 1
            manifest.update(sequence=self._floor, written_at=times.now())
            try:
                content = json.dumps(manifest).encode()
                self._store.put(self._manifest_key(self._floor), content, create=True)
                break
            except Exists:
                if self._is_ours(content):
                    break
        self.last = manifest
        self._kept.append((self._floor, blobs(manifest)))
        return manifest

    def _is_ours(self, content):
        """A refusal may be the echo of our own write, whose answer was lost. Raises Superseded."""
        there = self._store.get(self._manifest_key(self._floor))
        if json.loads(there)["attempt"] > self._boarding["attempt"]:
            raise Superseded("attempt %d saves already" % json.loads(there)["attempt"])
        return there == content

    def keep_the_newest(self):
        """The work is done, and nobody goes on from an older one. Not where another machine saves already."""
        newest = max(self._store.list(self._prefix + "checkpoints/"), default="")
        if self.last and newest == self._manifest_key(self.last["sequence"]):
            self.prune(keep=1)

    def prune(self, keep=KEEP):
        """Manifests first: one that is there never names a blob that is not. Raises Unreachable, Denied."""
        if not self.pruning:
            return
        gone, self._kept = self._kept[:-keep], self._kept[-keep:]
        named = set().union(*[names for _, names in self._kept])
        unnamed = set().union(*[names for _, names in gone]) - named
        self._waste |= {self._manifest_key(number) for number, _ in gone}
        self._waste |= {"%sblobs/%s" % (self._prefix, name) for name in unnamed}
        self._waste -= {"%sblobs/%s" % (self._prefix, name) for name in named}
        self._known -= unnamed
        for part in (
            [key for key in self._waste if "/blobs/" not in key],
            [key for key in self._waste if "/blobs/" in key],
        ):
            for start in range(0, len(part), LANES):
                if not self.pruning:
                    return
                list(self._lanes.map(self._store.delete, part[start : start + LANES]))
                self._waste -= set(part[start : start + LANES])


class Superseded(Exception):
    """A later attempt has begun to save: what this machine has is older."""


def unchanged(sending):
    """What was sent; None where there was nothing, or a file is no longer what it was. Raises Unreachable, Denied."""
    if sending is None:
        return None
    try:
        return [one.result() for one in sending]
    except (Changed, OSError):
        return None


def with_files(found):
    return {entry for entry, files in found.items() if files}
