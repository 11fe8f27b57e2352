"""What is packed, and the script that a machine boots with."""

import ast
import io
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from provisioner.agent import bundle
from tests.agent.machine import Machine, plain_boarding, until

SOURCES = sorted(Path(bundle.__file__).parent.glob("*.py"))
BOARDING: dict[str, Any] = {
    **plain_boarding("accelctl-" + "b" * 54), "attempt": 12,
    "agent": {"key": f"agents/{'a' * 64}.pyz", "sha256": "a" * 64},
}  # fmt: skip


def test_reproducible():
    """The bundle is the same bytes whoever builds it, and has nothing of this machine in it."""
    elsewhere = "import sys; from provisioner.agent import bundle; sys.stdout.buffer.write(bundle.build())"
    other = subprocess.run(
        [sys.executable, "-c", elsewhere], check=True, capture_output=True, env={**os.environ, "TZ": "Asia/Tokyo"}
    ).stdout
    assert other == bundle.build()
    with zipfile.ZipFile(io.BytesIO(other)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist()[1:] == sorted(archive.namelist()[1:])


def test_user_data_fits():
    """User data stays below EC2's 16 KB, with the longest bucket name there can be."""
    assert len(bundle.user_data(BOARDING).encode()) < 16 * 1024


@pytest.mark.parametrize(
    ("bucket", "url"),
    [
        ("plain", "https://plain.s3.dualstack.eu-west-1.amazonaws.com/a%20b"),
        ("with.dots", "https://s3.dualstack.eu-west-1.amazonaws.com/with.dots/a%20b"),
    ],
)
def test_where_an_object_is(bucket: str, url: str):
    """AWS's certificate covers one level below its own name: a bucket with dots is a part of the path."""
    asked = f"from provisioner.agent.aws import bucket_url; print(bucket_url({bucket!r}, 'eu-west-1', 'a b'))"
    plain = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    said = subprocess.run([sys.executable, "-c", asked], env=plain, capture_output=True, check=True, text=True)
    assert said.stdout.strip() == url


def test_dead_mans_switch_first():
    """The first command of the boot script arms the switch; it is found on PATH, never named by a folder."""
    commands = [line for line in bundle.user_data(BOARDING).splitlines() if line and not line.startswith("#")]
    assert commands[0].startswith("shutdown -h +60 ||")
    assert commands[-1] == "shutdown -h now"
    assert "/sbin/" not in bundle.user_data(BOARDING)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_python_3_9(source: Path):
    """Every module that runs on the machine is Python 3.9 and imports nothing but the standard library and itself."""
    tree = ast.parse(source.read_text(), feature_version=(3, 9))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def test_rebooted_machine(machine: Machine):
    """A later boot, which finds neither agent nor timer, ends the machine; the first one is not touched by that."""
    machine.task["command"] = ["echo", "done"]
    assert machine.start().gone()["ended"]["reason"] == "finished"
    later = machine.home / "var/lib/cloud/scripts/per-boot/accelctl"
    before = len(machine.shutdowns())
    subprocess.run([later], env=machine.environment(), check=True)
    assert machine.shutdowns()[before:] == ["-h now"]


def test_no_machine_of_ours(tmp_path: Path):
    """A boot script that is started by hand leaves nothing to a machine that cloud-init did not give it."""
    (tmp_path / "shutdown").write_text("#!/bin/sh\n")
    (tmp_path / "shutdown").chmod(0o755)
    (tmp_path / "by-hand").write_text(bundle.SCRIPT.format(minutes=60, code="boot = print", boarding="{}"))
    ran = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(["/bin/sh", "-x", tmp_path / "by-hand"], env=ran, check=True, capture_output=True, cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["by-hand", "shutdown"]


@pytest.mark.parametrize(
    ("systemd_run", "timer"),
    [("exit 0", "systemd-run --on-active=60m shutdown -h now"), ("exit 1", "sleep 60m")],
    ids=["systemd", "none"],
)
def test_dead_mans_switch_without_logind(tmp_path: Path, systemd_run: str, timer: str):
    """Where `shutdown` can set no timer, another one ends the machine, and the console says so."""
    refuses = 'case "$*" in *+*) echo "Failed to schedule shutdown"; exit 1 ;; esac'
    for name, does in (("shutdown", refuses), ("systemd-run", systemd_run), ("sleep", "exit 0")):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"$HOME/called"\n{does}\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "script").write_text(bundle.SCRIPT.format(minutes=60, code="boot = print", boarding="{}"))
    ran = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/sh", tmp_path / "script"], env=ran, check=True, capture_output=True, text=True)
    called = tmp_path / "called"
    until(lambda: timer in called.read_text().splitlines(), "the other timer")
    until(lambda: called.read_text().count("shutdown -h now\n") >= 2, "the shutdown by the timer, and that at the end")
    assert "accelctl: 'shutdown -h +60' failed" in done.stdout


def test_wrong_agent(machine: Machine):
    """An agent that is not the one that was sent is not run, and the machine goes home."""
    machine.boarding["attempt"] = 1
    machine.store.put("agents/x.pyz", b"something else")
    machine.boarding["agent"] = {"key": "agents/x.pyz", "sha256": "a" * 64}
    machine.boot(bundle.user_data(machine.boarding))
    until(lambda: "-h now" in machine.shutdowns(), "the shutdown")
    assert "not the one that was sent" in machine.console()


def test_store_away_at_boot(machine: Machine):
    """A store that does not answer yet when the machine boots is asked again."""
    machine.server.down.set()
    machine.start()
    until(lambda: "cannot fetch the agent yet" in machine.console(), "the first refusal")
    machine.server.down.clear()
    assert machine.gone()["ended"]["reason"] == "finished"


def test_role_away_at_boot(machine: Machine):
    """A role that the metadata service does not show yet is waited for."""
    role = machine.server.metadata.values.pop("iam/security-credentials/")
    machine.start()
    until(lambda: "no role yet" in machine.console(), "the first refusal")
    machine.server.metadata.values["iam/security-credentials/"] = role
    assert machine.gone()["ended"]["reason"] == "finished"


def running(machine: Machine, what: bytes) -> list[int]:
    found: list[int] = []
    for pid in machine.processes():
        with suppress(OSError):  # it has ended meanwhile
            if what in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def the_only(found: list[int]) -> int | None:
    """A child that was forked has the name of its parent until it becomes what it is to be."""
    return found[0] if len(found) == 1 else None


def test_killed_agent(machine: Machine):
    """When the agent is killed the machine still goes home."""
    machine.task["command"] = ["sh", "-c", "echo up; sleep 60"]
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    os.kill(until(lambda: the_only(running(machine, b"agent.pyz")), "the agent without a child of its name"), 9)
    until(lambda: "-h now" in machine.shutdowns(), "the shutdown")
