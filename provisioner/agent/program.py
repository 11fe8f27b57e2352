"""The user's program as a process group of its own."""

import os
import signal
import subprocess
import time
from functools import partial

from .writers import has_in

NOT_FOUND = 127
LIBRARY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "program")
"""Where `provisioner.checkpoint` is, in the very archive that this runs from: see `bundle` and `standin`."""
LAST_WORDS = 30
"""Seconds for those of the group that outlive its first process, such as a program below a shell that died at once."""


class Program:
    """A command that was started. Its output goes to the journal."""

    def __init__(self, command, environment, work, journal, cuts):
        self._journal, self._cuts = journal, cuts
        self._process = subprocess.Popen(
            command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._reader = journal.follow(self._process.stdout)
        self.asked = False
        """Whether it was asked to stop: then its exit code says nothing of its own work."""
        self._minds = False
        """Whether somebody of its group catches SIGTERM, and so may end in order."""
        self._killed = False

    def poll(self):
        """The exit code as a shell gives it, or None while it runs."""
        code = self._process.poll()
        return None if code is None else code if code >= 0 else 128 - code

    @property
    def cut_off(self):
        """Whether it was ended in the middle of whatever it did, maybe of writing a file."""
        by_signal = (self._process.returncode or 0) < 0 or self._process.returncode in (128 + signal.SIGTERM,)
        return self._killed or (by_signal and not (self.asked and self._minds))

    def ask_to_stop(self):
        self.asked = True
        self._minds = any(catches(pid, signal.SIGTERM) for pid in group(self._process.pid))
        self._interrupt(signal.SIGTERM)

    def kill(self):
        self._killed = True
        self._interrupt(signal.SIGKILL)

    def finish(self):
        """After its end: nothing of its group stays, and its last words are read."""
        self._signal(signal.SIGTERM)
        self._reader.join(LAST_WORDS if self.asked and self._minds else 2)
        if self.asked and self._reader.is_alive():
            self.kill()
        self._signal(signal.SIGKILL)
        self._reader.join(2)

    def _interrupt(self, number):
        interrupt(group(self._process.pid), number, self._signal, self._cuts)

    def _signal(self, number):
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass


def interrupt(members, number, send, cuts):
    """They stand still for the moment of the look, so that what is found is what the signal cuts off."""
    send(signal.SIGSTOP)
    try:
        cuts.look(members, number)
    finally:
        send(number)
        send(signal.SIGCONT)


def end_all(alive, cuts):
    """Ends processes that outlived the program, since what they go on writing is never whole. `alive` lists them."""
    end = time.monotonic() + 2
    members = alive()
    if members:
        interrupt(members, signal.SIGTERM, partial(signal_each, members), cuts)
    while members and time.monotonic() < end:
        time.sleep(0.1)
        members = alive()
    if members:
        interrupt(members, signal.SIGKILL, partial(signal_each, members), cuts)


def signal_each(members, number):
    for pid in members:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def started_for(interruption_file):
    """Lists who carries the environment of this machine's program, which that file is of, in any group or session."""
    mark = b"ACCELCTL_INTERRUPTION_FILE=" + os.fsencode(interruption_file)
    return lambda: [pid for pid in processes() if mark in environment_of(pid)]


def environment_of(pid):
    try:
        with open("/proc/%d/environ" % pid, "rb") as held:
            return set(held.read().split(b"\0"))
    except OSError:  # it has ended meanwhile, or is somebody else's
        return set()


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def group(leader):
    """Ids of the group's processes."""
    found = []
    for pid in processes():
        try:
            if os.getpgid(pid) == leader:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


def catches(pid, number):
    try:
        return has_in("SigCgt:", pid, number)
    except OSError:  # it has ended meanwhile
        return False


def environment(task, boarding, secrets, work, interruption_file, region):
    """What the program and the set-up command find: the image's environment and ours. `region` is the machine's."""
    found = dict({"HOME": "/root", "AWS_DEFAULT_REGION": region}, **os.environ)
    image = found.pop("ACCELCTL_IMAGE_PATH", "")
    if image:
        found["PATH"] = image + os.pathsep + found.get("PATH", "")
    found.update(task["environment"])
    found.update(secrets)
    found.update(
        ACCELCTL_JOB=boarding["job"], ACCELCTL_ATTEMPT=str(boarding["attempt"]),
        ACCELCTL_CHECKPOINT_DIR=os.path.join(work, task["checkpoint_dir"]),
        ACCELCTL_INTERRUPTION_FILE=interruption_file, ACCELCTL_NUM_NODES=str(boarding["nodes"]),
        ACCELCTL_NODE_RANK=str(boarding["rank"]), PYTHONUNBUFFERED="1",
        PYTHONPATH=os.pathsep.join([place for place in (found.get("PYTHONPATH"), LIBRARY) if place]),
    )  # fmt: skip
    if boarding["way"] == "ipv6":
        found.setdefault("AWS_USE_DUALSTACK_ENDPOINT", "true")
    return found
