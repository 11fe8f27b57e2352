"""Before the program: its folder, what was saved of it and its secrets come to the machine."""

import os
import time
from functools import partial

from .aws import Unreachable
from .content import sha256_of
from .folder import Unfit, unpack
from .restore import restore
from .secrets import NoSecret, secret
from .snapshot import Snapshots
from .store import Denied, Missing

SETTLED = 60.0
"""How long a new role may be refused what its policy allows: IAM's answers spread."""


class GivenUp(Exception):
    """The program cannot be started: what happened, and the exit code that a shell would give."""

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


class Arrival:
    """What one job's program needs, brought from the store."""

    def __init__(self, store, boarding, task, journal, work):
        self._store, self._boarding, self._task = store, boarding, task
        self._journal, self._work = journal, work
        self._settled = task.get("settle_seconds", SETTLED)
        self._patiently = partial(patiently, boarding["last_upload_seconds"])

    def bring_work_folder(self):
        """Raises GivenUp."""
        os.makedirs(self._work, exist_ok=True)
        archive = self._task["workdir"]
        if archive is None:
            return
        packed = self._work + ".tar.gz"
        try:
            self._patiently(lambda: self._store.download(archive["key"], packed), self._settled)
            if sha256_of(packed) != archive["sha256"]:
                raise GivenUp("the work folder in the store is not the one that was sent")
            unpack(packed, self._work)
        except (Missing, Denied) as problem:  # whoever may not list is not told what is missing
            raise GivenUp("the work folder is not in the store any more, or may not be read: %s" % problem)
        except Unfit as problem:
            raise GivenUp("the work folder cannot be unpacked: %s" % problem)
        os.remove(packed)

    def bring_checkpoint(self, report):
        """The newest whole one, in place and told; what saves the next ones."""
        snapshots = Snapshots(self._store, self._boarding, self._task, self._work)
        found = self._patiently(lambda: restore(self._store, self._boarding["prefix"], self._work))
        for number in found.damaged:
            self._journal.say("checkpoint %d is damaged; trying the one before" % number)
        report.note(damaged=found.damaged)
        snapshots.adopt(found.manifests)
        self._patiently(lambda: snapshots.sequence_after(found.highest, found.damaged))
        if found.manifest:
            report.checkpoint("restored", found.manifest)
            report.checkpoint("checkpoint", found.manifest)
            self._journal.say("restored checkpoint %d" % found.manifest["sequence"])
        elif found.damaged:
            self._journal.say("no whole checkpoint is left: starting afresh")
        for folder in (self._task["checkpoint_dir"], self._task["outputs_dir"]):
            os.makedirs(os.path.join(self._work, folder), exist_ok=True)
        return snapshots

    def find_secrets(self, imds):
        """Name -> value; no line of the journal will show one. Raises GivenUp."""
        found = {name: self._find_secret(imds, name, reference) for name, reference in self._task["secrets"].items()}
        self._journal.hide(found.values())
        return found

    def _find_secret(self, imds, name, reference):
        """Kept where the store is: a job's machines may be anywhere. A new role is believed to become known soon."""
        dualstack, region = self._boarding["way"] == "ipv6", self._boarding["region"]
        try:
            return self._patiently(lambda: secret(imds, reference, region, dualstack), self._settled)
        except (Missing, NoSecret):
            raise GivenUp("--secret %s leads to nothing in %s: %s" % (name, region, reference))
        except Denied as refusal:
            raise GivenUp("--secret %s may not be read: %s" % (name, refusal))


def patiently(bound, ask, refused_for=None):
    """A store that does not answer, or does not know the role yet, is asked again, for `bound` seconds.

    A refusal is believed after `refused_for`, where that is given. Raises Unreachable, Denied.
    """
    begun = time.monotonic()
    while True:
        try:
            return ask()
        except (Unreachable, Denied) as problem:
            print("[accelctl] waiting for the store:", problem, flush=True)
            patience = refused_for if refused_for is not None and isinstance(problem, Denied) else bound
            if time.monotonic() - begun > patience:
                raise
            time.sleep(1)
