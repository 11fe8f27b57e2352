"""The way back: the newest whole checkpoint, verified file by file, in place on a new machine."""

import json
import os
import shutil
import stat
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from .content import is_content, step_of
from .links import leads_down, within
from .manifests import blobs, files_of
from .snapshot import LANES
from .store import Missing


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
        except (Missing, NotAsSaved, ValueError, KeyError, TypeError):
            damaged.append(number)
            continue
        manifests = older(store, sorted(zip(numbers, keys)), number) + [manifest]
        break
    return Restored(manifests[-1] if manifests else None, damaged, manifests, max(numbers, default=0))


class NotAsSaved(Exception):
    """A file is not what its manifest says."""


def older(store, numbered, number):
    """The manifests before that one that can be read, oldest first."""
    found = []
    for one, key in numbered:
        if one < number:
            try:
                manifest = json.loads(store.get(key))
                manifest["sequence"], blobs(manifest)
                found.append(manifest)
            except (Missing, ValueError, KeyError, TypeError):
                continue
    return found


def place(store, prefix, manifest, work):
    """Everything is fetched and verified beside its place before anything is put in place."""
    staging = os.path.join(work, ".accelctl-restore")
    os.makedirs(staging, exist_ok=True)
    wanted = {file["sha256"] for file in files_of(manifest)}
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lambda name: fetched(store, prefix, staging, name), wanted))
    left = Counter(file["sha256"] for file in files_of(manifest))
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
    step_of(name)  # refuses what leads elsewhere
    path = os.path.join(staging, name)
    if os.path.exists(path) and is_content(path, name):
        return
    store.download("%sblobs/%s" % (prefix, name), path)
    if not is_content(path, name):
        raise NotAsSaved(name)


def linked(work, target):
    """The file that holds where a link leads becomes that link."""
    with open(target, "rb") as file:
        leads = os.fsdecode(file.read())
    if not within(work, target, leads):
        raise NotAsSaved("a link that leads out of the work folder: %s" % target)
    os.unlink(target)
    os.symlink(leads, target)


def copied(source, target):
    with open(source, "rb") as old, open(target, "wb") as new:
        for chunk in iter(lambda: old.read(1 << 20), b""):
            new.write(chunk)


def inside(work, path):
    """A manifest is data: its paths may not lead out of the work folder."""
    target = os.path.join(work, path)
    if not leads_down(path):
        raise NotAsSaved("a path outside of the work folder: %s" % path)
    above, top = os.path.realpath(os.path.dirname(target)), os.path.realpath(work)
    if os.path.commonpath([above, top]) != top:
        raise NotAsSaved("a path through a link that leads out of the work folder: %s" % path)
    return target
