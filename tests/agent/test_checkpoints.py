"""What of a program's files reaches the store, when, and what the next machine finds."""

import hashlib
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.agent.machine import PREFIX, Machine, paths, until

MEMORY_KIB = 48 * 1024
WAIT = "\nwhile [ ! -e finish ]; do sleep 0.1; done"


def shell(machine: Machine, script: str) -> None:
    """The program is a shell script, which then waits for the file `finish`."""
    machine.task["command"] = ["sh", "-c", script + WAIT]


def finish(machine: Machine) -> dict[str, Any]:
    (machine.work / "finish").touch()
    return machine.gone()


def blob_of(machine: Machine, path: str) -> str:
    files = [file for part in machine.store.manifests()[-1]["parts"] for file in part["files"]]
    (digest,) = [file["sha256"] for file in files if file["path"] == path]
    return f"{PREFIX}blobs/{digest}"


def puts(machine: Machine, below: str) -> list[str]:
    return [asked.path for asked in machine.server.requests if asked.method == "PUT" and f"/{below}/" in asked.path]


def written(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_large_tree_comes_back(machine: Machine):
    """Many files, a large one among them, are the same on the next machine: content, mode and time."""
    machine.python(
        "import os, pathlib, random; top = pathlib.Path('checkpoints/step-1'); top.mkdir(parents=True)\n"
        "for n in range(300): (top / f'part {n} ü').write_bytes(random.randbytes(n * 40))\n"
        "(top / 'large').write_bytes(random.randbytes(70 << 20)); os.chmod(top / 'large', 0o640)\n"
        "pathlib.Path('outputs/metrics.txt').write_text('x'); os.utime('outputs/metrics.txt', (1, 1))"
    )
    machine.start().gone()
    before = machine.store.manifests()
    second = machine.successor()
    second.task["command"] = ["true"]
    report = second.start().gone()
    assert report["restored"]["files"] == 302
    assert written(second.work) == written(machine.work)
    assert (second.work / "outputs/metrics.txt").stat().st_mtime == 1
    assert report["received_bytes"] > 70 << 20
    for console in (machine.console(), second.console()):
        assert int(console.split("peak memory ")[1].split()[0]) < MEMORY_KIB
    assert machine.store.manifests() == before, "an unchanged state writes no new manifest"


def test_unchanged_files_are_not_sent_again(machine: Machine):
    """A file is sent once, whatever changes beside it and however many attempts there are."""
    shell(machine, "echo steady >checkpoints/a; echo one >checkpoints/b")
    machine.start().saved("checkpoints/b")
    (machine.work / "checkpoints/b").write_text("two")
    until(lambda: machine.store.manifests()[-1]["sequence"] == 2, "the second checkpoint")
    finish(machine)
    second = machine.successor()
    shell(second, "echo three >checkpoints/c")
    second.start().saved("checkpoints/c")
    finish(second)
    steady = blob_of(machine, "checkpoints/a")
    assert len([path for path in puts(machine, "blobs") if path.endswith(steady)]) == 1
    assert len(puts(machine, "blobs")) == 4
    assert paths(machine.store.manifests()[-1]) == ["checkpoints/a", "checkpoints/b", "checkpoints/c"]


def test_being_written(machine: Machine):
    """An entry that is being written is not taken, its previous version stays; hidden and partial names never are."""
    shell(machine, "echo whole >checkpoints/a; echo x >checkpoints/.hidden; echo x >checkpoints/b.partial")
    machine.start().saved("checkpoints/a")
    first = machine.store.manifests()[-1]
    with (machine.work / "checkpoints/a").open("a") as growing:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            growing.write("more\n")
            growing.flush()
            time.sleep(0.02)
        (machine.work / "checkpoints/quiet").write_text("q")
        until(lambda: growing.write("m") and not growing.flush() and len(machine.store.manifests()) > 1, "the next one")
        beside = machine.store.manifests()[1]
    assert paths(beside) == ["checkpoints/a", "checkpoints/quiet"]
    assert beside["parts"][0]["files"][0] == first["parts"][0]["files"][0]
    finish(machine)
    newest = machine.store.get(blob_of(machine, "checkpoints/a"))
    assert newest == (machine.work / "checkpoints/a").read_bytes(), "at the program's end it is taken as it is"
    assert paths(machine.store.manifests()[-1]) == ["checkpoints/a", "checkpoints/quiet"]


def test_three_are_kept(machine: Machine):
    """The newest three manifests stay, and no blob that none of them names; strays of a lost machine go too.

    Once the program has finished, the newest is all that anybody needs.
    """
    machine.store.put(f"{PREFIX}blobs/{'0' * 64}", b"left by a machine that was lost before its manifest")
    shell(machine, "echo 0 >checkpoints/a")
    machine.start().saved("checkpoints/a")
    for number in range(1, 5):
        (machine.work / "checkpoints/a").write_text(str(number))
        until(lambda n=number: machine.store.manifests()[-1]["sequence"] == n + 1, f"checkpoint {number + 1}")
    until(lambda: [manifest["sequence"] for manifest in machine.store.manifests()] == [3, 4, 5], "the pruning")
    finish(machine)
    assert [manifest["sequence"] for manifest in machine.store.manifests()] == [5]
    named = {f["sha256"] for manifest in machine.store.manifests() for f in manifest["parts"][0]["files"]}
    assert {key.rpartition("/")[2] for key in machine.store.listed(f"{PREFIX}blobs/")} == named


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_damaged_checkpoint(machine: Machine, damage: str):
    """A damaged newest checkpoint is passed over, reported, and its number is not used again."""
    shell(machine, "echo good >checkpoints/a")
    machine.start().saved("checkpoints/a")
    (machine.work / "checkpoints/z").write_text("new")
    (machine.work / "checkpoints/zz").write_text("also new")
    machine.saved("checkpoints/zz")
    machine.pull_the_plug()
    bad = blob_of(machine, "checkpoints/z")
    machine.store.delete(bad) if damage == "missing" else machine.store.put(bad, b"bad")
    number = machine.store.manifests()[-1]["sequence"]
    second = machine.successor()
    shell(second, "cat checkpoints/a; printf new >checkpoints/z")
    second.start()
    until(lambda: machine.store.manifests()[-1]["sequence"] == number + 1, "the next checkpoint")
    report = finish(second)
    assert report["damaged"] == [number]
    assert report["restored"]["sequence"] == number - 1
    assert f"checkpoint {number} is damaged" in second.log()
    assert "good" in second.log().splitlines()
    assert machine.store.manifests()[-1]["sequence"] == number + 1
    assert number not in [manifest["sequence"] for manifest in machine.store.manifests()], "the damaged one is removed"
    assert machine.store.get(blob_of(machine, "checkpoints/z")) == b"new", "a blob that was bad is sent again"


def test_manifest_leading_outside(machine: Machine):
    """A manifest whose paths lead out of the work folder counts as damaged."""
    digest = hashlib.sha256(b"x").hexdigest()
    file = {"path": "../../escaped", "bytes": 1, "sha256": digest, "mode": 0o644, "modified_ns": 0}
    manifest = {
        "version": 1, "sequence": 1, "job": "j", "attempt": 1, "world_size": 1, "at": "2026-01-05T12:00:00Z",
        "written_at": "2026-01-05T12:00:00Z", "bytes": 0, "parts": [{"rank": 0, "files": [file]}],
    }  # fmt: skip
    machine.store.put(f"{PREFIX}checkpoints/00000001.json", json.dumps(manifest))
    machine.store.put(f"{PREFIX}blobs/{digest}", b"x")
    assert machine.start().gone()["damaged"] == [1]
    assert not (machine.home / "escaped").exists()


def test_a_link_within_the_work_folder_stays_a_link(machine: Machine):
    """`latest` leads to the newest step on the next machine too, where the program moves it on."""
    script = """
        mkdir -p checkpoints/step-$ACCELCTL_ATTEMPT; echo $ACCELCTL_ATTEMPT >checkpoints/step-$ACCELCTL_ATTEMPT/f
        test -e checkpoints/latest && echo "had $(readlink checkpoints/latest) $(cat checkpoints/latest/f)"
        ln -sfn step-$ACCELCTL_ATTEMPT checkpoints/latest
        ln -sfn latest checkpoints/itself; ln -sfn itself/f checkpoints/f
    """
    shell(machine, script)
    machine.start().saved("checkpoints/latest")
    finish(machine)
    second = machine.successor()
    shell(second, script)
    second.start()
    until(lambda: "had step-1 1" in second.log(), "the link")
    finish(second)
    assert machine.store.get(blob_of(machine, "checkpoints/latest")) == b"step-2"
    assert "failed" not in second.log()


def test_a_link_to_the_outside_is_saved_as_what_it_leads_to(machine: Machine):
    """And one that leads to itself, or nowhere, hurts nobody."""
    outside = machine.home.with_name("data")
    outside.write_text("s")
    script = f"ln -s {outside} checkpoints/data; ln -s /no/where checkpoints/no; ln -s me checkpoints/me"
    shell(machine, script)
    machine.start().saved("checkpoints/data")
    finish(machine)
    assert machine.store.get(blob_of(machine, "checkpoints/data")) == b"s"


def test_a_folder_outside_is_saved_as_what_it_holds(machine: Machine):
    """At any depth, once, however its links go round in circles."""
    outside = machine.home.with_name("shards")
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "part").write_text("s")
    (outside / "round").symlink_to(outside)
    shell(machine, f"mkdir -p checkpoints/step-1; ln -s {outside} checkpoints/step-1/shards; ln -s {outside} outputs/o")
    machine.start().saved("checkpoints/step-1/shards/deep/part")
    finish(machine)
    assert paths(machine.store.manifests()[-1]) == ["checkpoints/step-1/shards/deep/part", "outputs/o/deep/part"]


def test_folders_that_lie_deeper(machine: Machine):
    """With `--checkpoint-dir runs/a/ckpt` an entry is what lies in that folder, and comes back to it."""
    machine.task.update(checkpoint_dir="runs/a/ckpt", outputs_dir="runs/a/out")
    script = """
        mkdir -p runs/a/ckpt/step-1; echo one >runs/a/ckpt/step-1/f; echo done >runs/a/out/m
        while [ ! -e next ]; do sleep 0.05; done
        rm -r runs/a/ckpt/step-1; mkdir runs/a/ckpt/step-2; echo two >runs/a/ckpt/step-2/f
    """
    shell(machine, script)
    machine.start().saved("runs/a/ckpt/step-1/f")
    (machine.work / "next").touch()
    machine.saved("runs/a/ckpt/step-2/f")
    finish(machine)
    assert paths(machine.store.manifests()[-1]) == ["runs/a/ckpt/step-2/f", "runs/a/out/m"]
    second = machine.successor()
    shell(second, "cat runs/a/ckpt/*/f runs/a/out/m")
    second.start()
    until(lambda: "two\ndone" in second.log(), "what was saved")
    finish(second)


def test_folder_that_is_never_quiet(machine: Machine):
    """A log that grows without a pause beside checkpoints (Lightning's layout) keeps them out for a while only."""
    machine.task["restless_after_seconds"] = 1.5
    script = """
        top=checkpoints/lightning_logs/version_0; mkdir -p $top/checkpoints; echo one >$top/checkpoints/step-1.ckpt
        while [ ! -e finish ]; do echo x >>$top/metrics.csv; sleep 0.05; done
    """
    shell(machine, script)
    machine.start().saved("checkpoints/lightning_logs/version_0/checkpoints/step-1.ckpt")
    assert "written without a pause" in machine.log()
    finish(machine)
    top = "checkpoints/lightning_logs/version_0"
    assert paths(machine.store.manifests()[-1]) == [f"{top}/checkpoints/step-1.ckpt", f"{top}/metrics.csv"]
    second = machine.successor()
    second.task["command"] = ["sh", "-c", f"cat {top}/checkpoints/*"]
    second.start().gone()
    assert "one" in second.log()


def test_superseded_machine(machine: Machine):
    """A machine that still lives when the next attempt has saved never puts its own, older state on top."""
    shell(machine, "echo old >checkpoints/a")
    machine.start().saved("checkpoints/a")
    newer = {**machine.store.manifests()[-1], "sequence": 2, "attempt": 2}
    machine.store.put(f"{PREFIX}checkpoints/00000002.json", json.dumps(newer))
    (machine.work / "checkpoints/a").write_text("older than what the next attempt has")
    finish(machine)
    assert machine.store.manifests()[-1]["attempt"] == 2


def test_store_away_for_a_while(machine: Machine):
    """While the store does not answer the program runs on; output and checkpoint arrive when it is back."""
    shell(machine, "echo before; while [ ! -e resume ]; do sleep 0.1; done; echo during; echo d >checkpoints/during")
    machine.start()
    until(lambda: "before" in machine.log(), "the program")
    machine.server.down.set()
    (machine.work / "resume").touch()
    until((machine.work / "checkpoints/during").exists, "the program's own progress")
    (machine.work / "finish").touch()
    time.sleep(3)
    assert "-h now" not in machine.shutdowns()
    machine.server.down.clear()
    assert machine.gone()["ended"]["reason"] == "finished"
    assert machine.log().splitlines()[:2] == ["before", "during"]
    assert paths(machine.store.manifests()[-1]) == ["checkpoints/during"]


TRAINER = (
    "import os, pathlib, signal, sys, time\n"
    "def save(*_):\n"
    "    told = pathlib.Path(os.environ['ACCELCTL_INTERRUPTION_FILE']).read_text()\n"
    "    pathlib.Path(os.environ['ACCELCTL_CHECKPOINT_DIR'], 'told').write_text(told)\n"
    "    sys.exit(%d)\n"
    "signal.signal(signal.SIGTERM, save); print('up')\n"
    "while True: time.sleep(0.1)\n"
)


@pytest.mark.parametrize("code", [0, 143])
def test_notice(machine: Machine, code: int):
    """At the cloud's notice the program hears it, saves, and the end is `interrupted` whatever its exit code."""
    machine.python(TRAINER % code)
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    ends_at = machine.server.metadata.give_notice(timedelta(seconds=20))
    report = machine.ended()
    assert (report["ended"]["reason"], report["ended"]["exit_code"]) == ("interrupted", code)
    assert report["notice"]["ends_at"].startswith(ends_at.strftime("%Y-%m-%dT%H:%M:%S"))
    told = json.loads(machine.store.get(blob_of(machine, "checkpoints/told")))
    assert told["ends_at"] == report["notice"]["ends_at"]
    assert "-h now" not in machine.shutdowns(), "the window is still open"
    (machine.work / "checkpoints/late").write_text("written by what outlived the program")
    machine.saved("checkpoints/late")


def test_notice_after_the_window(machine: Machine):
    """A machine that the cloud announced to take and did not goes home a minute after the announced end."""
    machine.python(TRAINER % 143)
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.server.metadata.give_notice(timedelta(seconds=-57))
    machine.server.metadata.values["events/recommendations/rebalance"] = '{"noticeTime": "2026-01-05T12:00:00Z"}'
    assert machine.gone(seconds=15)["ended"]["reason"] == "interrupted"
    assert "expects to take the machine back" not in machine.log(), "the notice says more than advice"


def test_saves_within_the_window(machine: Machine):
    """While the program is still saving after the notice, each entry is sent as soon as it is whole."""
    script = (
        "trap 'for n in 1 2 3; do echo $n >checkpoints/$n; sleep 1.5; done; sleep 60' TERM; echo up; sleep 60 & wait"
    )
    machine.task.update(command=["sh", "-c", script], checkpoint_every_seconds=600)
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.server.metadata.give_notice(timedelta(seconds=30))
    machine.saved("checkpoints/1")
    machine.saved("checkpoints/3")
    assert machine.report()["phase"] == "save", "the program has not ended yet"


def test_rebalance_advice(machine: Machine):
    """Rebalance advice is told and brings one snapshot at once; the program runs on."""
    machine.task["checkpoint_every_seconds"] = 600
    shell(machine, "echo s >checkpoints/a; echo up")
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.server.metadata.values["events/recommendations/rebalance"] = '{"noticeTime": "2026-01-05T12:00:00Z"}'
    machine.saved("checkpoints/a")
    until(lambda: machine.report().get("rebalance_at"), "the advice in the report")
    assert finish(machine)["ended"]["reason"] == "finished"
    assert machine.log().count("expects to take the machine back") == 1


def test_notice_before_the_program(machine: Machine):
    """A program is not started any more on a machine that is about to go."""
    machine.server.metadata.give_notice(timedelta(seconds=60))
    machine.task.update(setup="sleep 1", command=["echo", "started"])
    assert machine.start().ended()["ended"]["reason"] == "interrupted"
    assert "started" not in machine.log().splitlines()


def test_killed_machine_resumes(machine: Machine):
    """After the plug was pulled the next machine goes on from the newest complete checkpoint."""
    shell(machine, "echo s >checkpoints/step-7")
    machine.start().saved("checkpoints/step-7")
    machine.pull_the_plug()
    second = machine.successor()
    second.task["command"] = ["ls", "checkpoints"]
    second.start().gone()
    assert "step-7" in second.log().splitlines()
