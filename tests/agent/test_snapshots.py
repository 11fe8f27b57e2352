# pyright: basic
# The agent is untyped on purpose.
"""Snapshots while the program goes on writing: what a manifest names was there, whole, at one time."""

import hashlib
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioner.agent.manifests import files_of
from provisioner.agent.restore import restore
from provisioner.agent.snapshot import LINK, Snapshots
from provisioner.agent.store import Exists, Missing
from tests.agent.machine import PREFIX, Machine, paths, until

BOARDING = {"prefix": "jobs/j/", "job": "j", "attempt": 1, "nodes": 1, "rank": 0}
TASK = {"checkpoint_dir": "checkpoints", "outputs_dir": "outputs", "checkpoint_every_seconds": 1}


class Memory:
    """A store; `during` runs while a file is sent."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.during: Callable[[], None] = lambda: None

    def upload(self, key: str, path: str, content: Any) -> None:
        self.during()
        self.held[key] = Path(path).read_bytes()

    def put(self, key: str, content: bytes, create: bool = False) -> None:
        if create and key in self.held:
            raise Exists(key)
        self.held[key] = content

    def get(self, key: str) -> bytes:
        if key not in self.held:
            raise Missing(key)
        return self.held[key]

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self.held if key.startswith(prefix))

    def delete(self, key: str) -> None:
        self.held.pop(key, None)

    def download(self, key: str, path: str) -> None:
        Path(path).write_bytes(self.get(key))


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def saver(store: Memory, tmp_path: Path) -> Any:
    (tmp_path / "checkpoints" / "a").mkdir(parents=True)
    (tmp_path / "checkpoints" / "a" / "f").write_text("one")
    found = Snapshots(store, BOARDING, TASK, str(tmp_path))
    found.adopt([])
    found.sequence_after(0, [])
    return found


def test_a_link_that_moves_on_meanwhile_never_points_to_what_is_not_saved(
    store: Memory, saver: Any, tmp_path: Path
) -> None:
    """`latest` leads to the checkpoint that is in the manifest, or is not in it."""
    latest = tmp_path / "checkpoints" / "latest"
    latest.symlink_to("a")

    def moves_on() -> None:
        (tmp_path / "checkpoints" / "b").mkdir(exist_ok=True)
        latest.unlink()
        latest.symlink_to("b")

    store.during = moves_on
    manifest = saver.take(at_rest=True)
    links = [file for file in files_of(manifest) if file["mode"] == LINK]

    assert [store.held[f"jobs/j/blobs/{one['sha256']}"] for one in links] in ([], [b"a"])


@pytest.mark.parametrize("becomes", ["a file", "nothing"])
def test_a_folder_that_becomes_something_else_stops_nobody(
    store: Memory, saver: Any, tmp_path: Path, becomes: str
) -> None:
    """What changed while it was sent is taken the next time."""
    other = tmp_path / "checkpoints" / "b"
    other.mkdir()
    (other / "g").write_text("two")

    def changes() -> None:
        if other.is_dir():
            shutil.rmtree(other)
            if becomes == "a file":
                other.write_text("three")

    store.during = changes
    saver.take(at_rest=True)
    store.during = lambda: None
    saver.take(at_rest=True)

    found = sorted(file["path"] for file in files_of(saver.last))
    assert found == ["checkpoints/a/f", *(["checkpoints/b"] if becomes == "a file" else [])]


def test_an_older_manifest_that_says_nothing_is_passed_over(store: Memory, saver: Any, tmp_path: Path) -> None:
    """Only whole ones are adopted."""
    saver.take(at_rest=True)
    store.held["jobs/j/checkpoints/00000002.json"] = store.held["jobs/j/checkpoints/00000001.json"].replace(
        b'"sequence": 1', b'"sequence": 2'
    )
    store.held["jobs/j/checkpoints/00000001.json"] = b"{}"

    found = restore(store, "jobs/j/", str(tmp_path / "again"))
    Snapshots(store, BOARDING, TASK, str(tmp_path)).adopt(found.manifests)

    assert [manifest["sequence"] for manifest in found.manifests] == [2]


def kept_of_a_torn_model(machine: Machine) -> bytes:
    """The program has saved a model, begins to write it anew, and is told to stop in the middle of that."""
    machine.start().saved("checkpoints/model")
    (machine.work / "tear").touch()
    until(lambda: "torn" in machine.log(), "the half file")
    machine.store.order(run=False, reason="cancelled")
    machine.gone()
    (file,) = [one for part in machine.store.manifests()[-1]["parts"] for one in part["files"]]

    return machine.store.get(f"{PREFIX}blobs/{file['sha256']}")


@pytest.mark.parametrize("catches", [False, "elsewhere", True])
def test_a_program_cut_off_while_it_rewrites_a_file_leaves_the_version_before(
    machine: Machine, tmp_path: Path, catches: bool | str
):
    """One that catches SIGTERM ends in order: what it wrote last counts. The folder may be a link to another disk."""
    handler = "signal.signal(signal.SIGTERM, lambda *_: (write('last words'), sys.exit(0)))" if catches is True else ""
    disk = "os.rmdir('checkpoints'); os.mkdir({0!r}); os.symlink({0!r}, 'checkpoints')".format(str(tmp_path / "disk"))
    machine.python(
        "import os, signal, sys, time\n"
        "def write(text): open('checkpoints/model', 'w').write(text)\n"
        f"{handler}\n"
        f"{disk if catches == 'elsewhere' else ''}\n"
        "write('whole'); print('saved', flush=True)\n"
        "while not os.path.exists('tear'): time.sleep(0.05)\n"
        "half = open('checkpoints/model', 'w'); print('torn', flush=True)\n"
        "while True: half.write('x'); half.flush(); time.sleep(0.02)\n"
    )
    assert kept_of_a_torn_model(machine) == (b"last words" if catches is True else b"whole")


WORKER = """
import os, sys, time
def save(text): open('checkpoints/model', 'w').write(text)
save('whole'); print('saved', flush=True)
while not os.path.exists('tear'): time.sleep(0.05)
half = open('checkpoints/model', 'w'); print('torn', flush=True)
while True: half.write('x'); half.flush(); time.sleep(0.02)
"""
LAUNCHER = """
import signal, subprocess, sys, time
worker = subprocess.Popen([sys.executable, '-c', {worker!r}])
signal.signal(signal.SIGTERM, lambda *_: {ends})
while True: time.sleep(0.05)
"""


@pytest.mark.parametrize("ends", ["sys.exit(0)", "print('not yet', flush=True)"])
def test_what_a_worker_was_writing_is_not_taken_though_its_launcher_minds_the_signal(machine: Machine, ends: str):
    """As torchrun does, which ends in order; or which stays, and is ended once its time to save is over."""
    machine.task["stop_grace_seconds"] = 2
    machine.python(LAUNCHER.format(worker=WORKER, ends=ends))

    assert kept_of_a_torn_model(machine) == b"whole"


TRAINER = """
import os, signal, sys, time
def last(*_):
    open('checkpoints/run/model', 'w').write('last words'); sys.exit(0)
signal.signal(signal.SIGTERM, last)
while True: print('line', flush=True); time.sleep(0.05)
"""


@pytest.mark.parametrize("log", [">> checkpoints/run/log", "> checkpoints/run/log"])
def test_a_log_beside_what_was_saved_in_order_keeps_nothing_from_being_taken(machine: Machine, log: str):
    """Whoever writes it is cut off, and its last line may be half: that is no checkpoint."""
    shell = f"mkdir -p checkpoints/run; echo up; exec {sys.executable} -c {shlex.quote(TRAINER)} {log}"
    machine.task.update(command=["bash", "-c", shell])
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.store.order(run=False, reason="cancelled")
    machine.gone()

    assert "checkpoints/run/model" in paths(machine.store.manifests()[-1])


def test_a_program_that_dies_of_sigterm_keeps_what_it_had_saved_a_moment_before(machine: Machine):
    """It writes beside the file and renames, as one does, all the time: the last version is whole, and counts."""
    machine.python(
        "import os, time\n"
        "for step in range(10**6):\n"
        "    open('checkpoints/model.partial', 'w').write(str(step))\n"
        "    os.replace('checkpoints/model.partial', 'checkpoints/model'); print('saved', step, flush=True)\n"
        "    time.sleep(0.05)\n"
    )
    machine.task["checkpoint_every_seconds"] = 300
    machine.start()
    until(lambda: "saved 20" in machine.log(), "some saves")
    machine.store.order(run=False, reason="cancelled")
    machine.gone()
    (file,) = [one for part in machine.store.manifests()[-1]["parts"] for one in part["files"]]

    last = machine.log().rsplit("saved ", 1)[1].split()[0]
    assert int(machine.store.get(f"{PREFIX}blobs/{file['sha256']}")) >= int(last) - 1


def test_a_file_that_has_only_grown_for_long_is_a_log_and_no_half_checkpoint(
    saver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As that of `| tee`, which is cut off beside a program that ends in order. What is new, or shrank, is none."""
    log = tmp_path / "checkpoints" / "a" / "log"
    writing = log.open("w")
    writing.write("one\n")
    writing.flush()
    saver.take()
    later = time.time() + 61
    monkeypatch.setattr("time.time", lambda: later)
    saver.take()
    writing.write("two\n")
    writing.flush()
    saver.entries.cuts.look([os.getpid()], signal.SIGKILL)

    assert "checkpoints/a/log" in {file["path"] for file in files_of(saver.take(at_rest=True))}
    writing.truncate(1)
    writing.flush()
    saver.entries.cuts.look([os.getpid()], signal.SIGKILL)
    assert saver.take(at_rest=True) is None
    assert saver.entries.torn == ["checkpoints/a"]
    writing.close()


def test_what_a_program_was_cut_off_from_is_torn_for_a_save_under_way(store: Memory, saver: Any, tmp_path: Path):
    """It looks quiet then, since nobody writes any more; the version before is taken."""
    saver.take(at_rest=True)
    (tmp_path / "checkpoints" / "a" / "f").write_text("hal")
    saver.entries.torn_since = time.time() - 3
    assert saver.take(hurry=True) is None
    (tmp_path / "checkpoints" / "b").write_text("whole")
    os.utime(tmp_path / "checkpoints" / "b", (1, 1))
    kept = {file["path"]: file["sha256"] for file in files_of(saver.take(hurry=True))}
    assert kept["checkpoints/a/f"] == hashlib.sha256(b"one").hexdigest()
    assert "checkpoints/b" in kept


def removed(only: Path) -> None:
    shutil.rmtree(only)


def half_removed(only: Path) -> None:
    (only / "f").unlink()


def emptied(only: Path) -> None:
    shutil.rmtree(only)
    only.mkdir()


def being_replaced(only: Path) -> None:
    shutil.rmtree(only)
    only.with_name(".a.partial").mkdir()
    (only.with_name(".a.partial") / "f").write_text("half")


@pytest.mark.parametrize("cut_off", [True, False])
@pytest.mark.parametrize("replaced", [removed, half_removed, emptied, being_replaced])
def test_the_only_checkpoint_stands_until_its_successor_is_whole(
    store: Memory, saver: Any, tmp_path: Path, replaced: Callable[[Path], None], cut_off: bool
) -> None:
    """A program that keeps one, and is interrupted while it replaces it, goes on from it elsewhere."""
    only = tmp_path / "checkpoints" / "a"
    (only / "g").write_text("two")
    for file in (only / "f", only / "g"):
        os.utime(file, (time.time() - 60, time.time() - 60))
    saver.take(at_rest=True)
    replaced(only)
    if cut_off:
        saver.entries.torn_since = time.time() - 3
        saver.take(at_rest=True)
    elif replaced is not half_removed:  # a running program may take a file away
        saver.take(hurry=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    restore(store, "jobs/j/", str(elsewhere))
    assert {file.name: file.read_text() for file in (elsewhere / "checkpoints/a").iterdir()} == {"f": "one", "g": "two"}


def test_an_old_checkpoint_goes_once_the_next_is_there(saver: Any, tmp_path: Path) -> None:
    """Also while the one after that is being written."""
    saver.take(at_rest=True)
    (tmp_path / "checkpoints" / "a").rename(tmp_path / "checkpoints" / "b")
    (tmp_path / "checkpoints" / ".c.partial").mkdir()
    assert [file["path"] for file in files_of(saver.take(at_rest=True))] == ["checkpoints/b/f"]


def test_a_machine_that_was_replaced_leaves_what_it_saved(store: Memory, saver: Any, tmp_path: Path) -> None:
    """Its job is done, but another one saves already, and may lean on what is there."""
    for text in ("one", "two"):
        (tmp_path / "checkpoints" / "a" / "f").write_text(text)
        saver.take(at_rest=True)
    later = store.held["jobs/j/checkpoints/00000003.json"] = b"{}"
    before = dict(store.held)
    saver.keep_the_newest()
    assert store.held == before
    assert store.held.pop("jobs/j/checkpoints/00000003.json") == later
    saver.keep_the_newest()
    assert sorted(store.held) == sorted([
        f"jobs/j/blobs/{hashlib.sha256(b'two').hexdigest()}", "jobs/j/checkpoints/00000002.json",
    ])  # fmt: skip


def test_nothing_left_is_as_old_as_what_was_there(saver: Any, tmp_path: Path) -> None:
    """A program that takes its last output away has not worked until now."""
    shutil.rmtree(tmp_path / "checkpoints" / "a")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "table").write_text("1")
    before = saver.take(at_rest=True)
    (tmp_path / "outputs" / "table").unlink()
    after = saver.take(at_rest=True)
    assert (files_of(after), after["at"]) == ([], before["at"])


def test_a_file_that_is_replaced_without_a_pause_is_saved_all_the_same(
    store: Memory, saver: Any, tmp_path: Path
) -> None:
    """Who writes beside it and renames has a whole version there at every moment: one of them is taken."""
    folder, stop = tmp_path / "checkpoints", threading.Event()
    folder.mkdir(exist_ok=True)

    def save(step: int) -> None:
        (folder / "state.json.partial").write_text(f"{step}" * 1000)
        (folder / "state.json.partial").rename(folder / "state.json")

    def train() -> None:
        step = 0
        while not stop.wait(0.02):
            save(step := (step + 1) % 10)

    save(0)
    program = threading.Thread(target=train)
    program.start()
    manifest = saver.take()
    stop.set()
    program.join()

    (file,) = [one for one in files_of(manifest) if one["path"] == "checkpoints/state.json"]
    content = store.held[f"jobs/j/blobs/{file['sha256']}"].decode()
    assert (len(content), len(set(content))) == (1000, 1)
    assert not list(tmp_path.glob(".accelctl*"))


def test_a_file_that_is_rewritten_in_place_is_not_taken_while_it_is(saver: Any, tmp_path: Path) -> None:
    """Half of it is new: what is there is no version at all."""
    (tmp_path / "checkpoints").mkdir(exist_ok=True)
    with (tmp_path / "checkpoints/state").open("w") as state:
        stop = threading.Event()

        def train() -> None:
            while not stop.wait(0.02):
                state.write("more")
                state.flush()

        program = threading.Thread(target=train)
        program.start()
        manifest = saver.take()
        stop.set()
        program.join()

    assert [one["path"] for one in files_of(manifest)] == ["checkpoints/a/f"]
