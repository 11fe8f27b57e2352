"""Checkpoints: what the program has saved goes to the store, entry by entry, and counts once its manifest is there."""

import hashlib
import json
import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor

from . import times
from .store import Changed, Exists, Missing

KEEP = 3
LINK = stat.S_IFLNK | 0o777
LANES = 8
SETTLE = 0.5
SETTLE_IN_A_HURRY = 0.2


def ignored(name):
    """Names that are never part of a checkpoint."""
    return name.startswith(".") or name.endswith(".partial") or ".orbax-checkpoint-tmp" in name


class Snapshots:
    """The folders of one job on this machine. Not thread-safe: one caller at a time."""

    def __init__(self, store, boarding, task, work):
        self._store, self._prefix, self._work = store, boarding["prefix"], work
        self._folders = [task["checkpoint_dir"], task["outputs_dir"]]
        self._boarding = boarding
        self._hashes = {}
        self._known = set()
        self._kept = []
        """(sequence, blobs) of the manifests in the store, oldest first."""
        self._waste = set()
        """Keys that go with the next pruning: damaged manifests, blobs that no manifest names."""
        self.last = None
        """The newest manifest, as it was written or restored."""
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
        entries = self._scan() if at_rest else self._quiet(SETTLE_IN_A_HURRY if hurry else SETTLE)
        before = by_entry(self.last, self._folders)
        files, moving, fresh = [], set(), set()
        for entry, stamps in sorted(entries.items()):
            found = self._send(stamps) if stamps is not None else None
            if found is None:  # being written: its previous version stands
                moving.add(os.path.dirname(entry))
                found = before.get(entry, [])
            elif entry not in before:
                fresh.add(os.path.dirname(entry))
            files += found
        for entry in sorted(set(before) - set(entries)):
            if os.path.dirname(entry) in moving - fresh:  # its successor is not whole yet: until then it stays
                files += before[entry]
        if not self._differs(files):
            return None
        return self._commit(files)

    def _differs(self, files):
        old = {(f["path"], f["sha256"], f["mode"]) for f in files_of(self.last)} if self.last else set()
        return {(f["path"], f["sha256"], f["mode"]) for f in files} != old

    def _quiet(self, settle):
        """Entry -> its files, or None for one that is being written."""
        first = self._scan()
        time.sleep(settle)
        second = self._scan()
        moving = {entry: None for entry in first if entry not in second}
        return {**moving, **{entry: found if first.get(entry) == found else None for entry, found in second.items()}}

    def _scan(self):
        """Top-level entry -> {path: stamp} of its regular files."""
        found = {}
        for folder in self._folders:
            top = os.path.join(self._work, folder)
            for name in sorted(os.listdir(top)) if os.path.isdir(top) else []:
                if not ignored(name):
                    entry = os.path.join(folder, name)
                    found[entry] = dict(self._files(entry))
        return found

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

    def _send(self, stamps):
        """An entry's files as a manifest lists them, all of them in the store; None where one changed meanwhile."""
        with ThreadPoolExecutor(LANES) as pool:
            try:
                return list(pool.map(lambda item: self._send_file(*item), stamps.items()))
            except (Changed, FileNotFoundError):
                return None

    def _send_file(self, relative, known_stamp):
        path = os.path.join(self._work, relative)
        if stat.S_ISLNK(known_stamp[3]):
            return self._send_link(relative, path)
        held = self._hashes.get(relative)
        sha256 = held[1] if held and held[0] == known_stamp else hashed(path)
        status = os.stat(path)
        if stamp(status) != known_stamp:
            raise Changed(path)
        if sha256 not in self._known:
            self._store.upload("%sblobs/%s" % (self._prefix, sha256), path, sha256)
            self._known.add(sha256)
        self._hashes[relative] = (known_stamp, sha256)
        return {"path": relative, "bytes": status.st_size, "sha256": sha256, "mode": stat.S_IMODE(status.st_mode),
                "modified_ns": status.st_mtime_ns}  # fmt: skip

    def _send_link(self, relative, path):
        """As git has it: the content is where the link leads, and the mode says that it is one."""
        content = os.fsencode(os.readlink(path))
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 not in self._known:
            self._store.put("%sblobs/%s" % (self._prefix, sha256), content)
            self._known.add(sha256)
        return {"path": relative, "bytes": len(content), "sha256": sha256, "mode": LINK,
                "modified_ns": os.lstat(path).st_mtime_ns}  # fmt: skip

    def _commit(self, files):
        """Writes the manifest under the next free number; then what nobody names any more goes."""
        newest = max([file["modified_ns"] for file in files], default=0) / 1e9
        manifest = {
            "version": 1, "job": self._boarding["job"], "attempt": self._boarding["attempt"],
            "world_size": self._boarding["nodes"], "at": times.written(newest or time.time()),
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
        self._prune()
        return manifest

    def _is_ours(self, content):
        """A refusal may be the echo of our own write, whose answer was lost. Raises Superseded."""
        there = self._store.get(self._manifest_key(self._floor))
        if json.loads(there)["attempt"] > self._boarding["attempt"]:
            raise Superseded("attempt %d saves already" % json.loads(there)["attempt"])
        return there == content

    def _prune(self):
        """Manifests first: one that is there never names a blob that is not."""
        if not self.pruning:
            return
        gone, self._kept = self._kept[:-KEEP], self._kept[-KEEP:]
        named = set().union(*[names for _, names in self._kept])
        unnamed = set().union(*[names for _, names in gone]) - named
        self._waste |= {self._manifest_key(number) for number, _ in gone}
        self._waste |= {"%sblobs/%s" % (self._prefix, name) for name in unnamed}
        self._waste -= {"%sblobs/%s" % (self._prefix, name) for name in named}
        self._known -= unnamed
        for key in sorted(self._waste, key=lambda key: "/blobs/" in key):
            self._store.delete(key)
            self._waste.discard(key)


class Superseded(Exception):
    """A later attempt has begun to save: what this machine has is older."""


class Restored:
    """What came back: the newest whole manifest (or None), and the numbers of damaged ones that were passed over."""

    def __init__(self, manifest, damaged, manifests, highest):
        self.manifest, self.damaged, self.manifests, self.highest = manifest, damaged, manifests, highest


def restore(store, prefix, work):
    """The newest complete checkpoint, every file verified; an older one where the newest is damaged."""
    keys = store.list(prefix + "checkpoints/")
    numbers = [int(key.rsplit("/", 1)[1].split(".")[0]) for key in keys]
    damaged, manifests = [], []
    for number, key in sorted(zip(numbers, keys), reverse=True):
        try:
            manifest = json.loads(store.get(key))
            place(store, prefix, manifest, work)
        except (Missing, Damaged, ValueError, KeyError, TypeError):
            damaged.append(number)
            continue
        manifests = older(store, sorted(zip(numbers, keys)), number) + [manifest]
        break
    return Restored(manifests[-1] if manifests else None, damaged, manifests, max(numbers, default=0))


class Damaged(Exception):
    """A file is not what its manifest says."""


def older(store, numbered, number):
    """The manifests before that one that can be read, oldest first."""
    found = []
    for one, key in numbered:
        if one < number:
            try:
                found.append(json.loads(store.get(key)))
            except (Missing, ValueError):
                continue
    return found


def place(store, prefix, manifest, work):
    """Everything is fetched and verified beside its place before anything is put in place."""
    staging = os.path.join(work, ".accelctl-restore")
    os.makedirs(staging, exist_ok=True)
    wanted = {file["sha256"] for file in files_of(manifest)}
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lambda name: fetched(store, prefix, staging, name), wanted))
    left = {name: sum(file["sha256"] == name for file in files_of(manifest)) for name in wanted}
    for file in files_of(manifest):
        target, source = inside(work, file["path"]), os.path.join(staging, file["sha256"])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        left[file["sha256"]] -= 1
        if left[file["sha256"]]:
            copied(source, target)
        else:
            os.replace(source, target)
        if stat.S_ISLNK(file["mode"]):
            linked(work, target)
            continue
        os.chmod(target, file["mode"])
        os.utime(target, ns=(file["modified_ns"], file["modified_ns"]))
    shutil.rmtree(staging)  # blobs of a damaged checkpoint may be left in it


def fetched(store, prefix, staging, name):
    path = os.path.join(staging, name)
    if os.path.exists(path) and hashed(path) == name:
        return
    if store.download("%sblobs/%s" % (prefix, name), path) != name:
        raise Damaged(name)


def linked(work, target):
    """The file that holds where a link leads becomes that link."""
    with open(target, "rb") as file:
        leads = os.fsdecode(file.read())
    if not within(work, target, leads):
        raise Damaged("a link that leads out of the work folder: %s" % target)
    os.unlink(target)
    os.symlink(leads, target)


def within(work, path, leads):
    """Whether a link at that path stays in the work folder, by its words: up at first only, then down."""
    target = os.path.normpath(os.path.join(os.path.dirname(path), leads))
    down = leads.split("/")
    while down and down[0] in ("..", "."):
        down.pop(0)
    return not os.path.isabs(leads) and ".." not in down and target.startswith(work + os.sep)


def copied(source, target):
    with open(source, "rb") as old, open(target, "wb") as new:
        for chunk in iter(lambda: old.read(1 << 20), b""):
            new.write(chunk)


def inside(work, path):
    """A manifest is data: its paths may not lead out of the work folder."""
    target = os.path.normpath(os.path.join(work, path))
    if not target.startswith(work + os.sep):
        raise Damaged("a path outside of the work folder: %s" % path)
    above, top = os.path.realpath(os.path.dirname(target)), os.path.realpath(work)
    if os.path.commonpath([above, top]) != top:
        raise Damaged("a path through a link that leads out of the work folder: %s" % path)
    return target


def files_of(manifest):
    return [file for part in manifest["parts"] for file in part["files"]]


def blobs(manifest):
    return {file["sha256"] for file in files_of(manifest)}


def by_entry(manifest, folders):
    """Top-level entry of one of the folders -> files, as a manifest lists them."""
    found = {}
    for file in files_of(manifest) if manifest else []:
        found.setdefault(entry_of(file["path"], folders), []).append(file)
    return found


def entry_of(path, folders):
    for folder in folders:
        if path.startswith(folder + "/"):
            return os.path.join(folder, path[len(folder) + 1 :].split("/")[0])
    return path


def stamp(status):
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_mode


def hashed(path):
    seen = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            seen.update(chunk)
    return seen.hexdigest()
