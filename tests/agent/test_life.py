"""A machine from boot to shutdown, with real processes."""

import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.agent.aws import (  # pyright: ignore[reportUnknownVariableType] - untyped
    Unreachable,
    whole,  # pyright: ignore[reportUnknownVariableType]
)
from provisioner.agent.utilisation import neuron_devices  # pyright: ignore[reportUnknownVariableType] - untyped
from tests.agent.machine import PREFIX, Machine, paths, until
from tests.agent.server import INSTANCE


def test_happy_path(machine: Machine):
    """A program gets its work folder and environment, leaves outputs, and the machine reports the end and goes home."""
    machine.task["workdir"] = machine.store.send_workdir({"train.sh": b"echo from the folder\n"})
    machine.task["environment"] = {"GREETING": "hello"}
    machine.python(
        "import os, pathlib, subprocess, sys; subprocess.run(['sh', 'train.sh'], check=True);"
        "print(os.environ['GREETING'], os.environ['ACCELCTL_JOB'], os.environ['ACCELCTL_ATTEMPT']);"
        "print('to stderr', file=sys.stderr); pathlib.Path('outputs/result.txt').write_text('42')"
    )
    report = machine.start().gone()
    assert report["ended"]["reason"] == "finished"
    assert report["ended"]["exit_code"] == 0
    assert (report["phase"], report["instance_id"]) == ("ended", INSTANCE)
    assert report["booted_at"] < report["started_at"] < report["program_ended_at"] < report["ended"]["at"]
    assert machine.shutdowns()[0] == "-h +60", "the dead-man switch is armed first"
    assert machine.log().splitlines()[:3] == ["from the folder", f"hello {machine.boarding['job']} 1", "to stderr"]
    (manifest,) = machine.store.manifests()
    (file,) = manifest["parts"][0]["files"]
    assert (manifest["sequence"], file["path"], file["bytes"]) == (1, "outputs/result.txt", 2)
    assert machine.store.get(f"{PREFIX}blobs/{file['sha256']}") == b"42"


def test_work_folder_survives_whole(machine: Machine):
    """Links and odd modes of the work folder are on the machine as they were sent."""
    link, odd = tarfile.TarInfo("current"), tarfile.TarInfo("tool")
    link.type, link.linkname, odd.mode = tarfile.SYMTYPE, "data/v1", 0o751
    machine.task["workdir"] = machine.store.send_workdir({"data/v1": b"one", "current": link, "tool": odd})
    machine.task["command"] = ["sh", "-c", "readlink current; cat current; echo; stat -c %a tool"]
    machine.start().gone()
    assert machine.log().splitlines()[:3] == ["data/v1", "one", "751"]


def test_work_folder_stays_inside(machine: Machine):
    """An archive that reaches out of the work folder is refused, and nothing is written outside."""
    machine.task["workdir"] = machine.store.send_workdir({"../escaped": b"x"})
    report = machine.start().gone()
    assert report["ended"]["reason"] == "failed"
    assert "work folder" in report["ended"]["message"]
    assert not (machine.home / "accelctl" / "escaped").exists()


def test_program_failure(machine: Machine):
    """A program that fails is reported with its exit code and its last 20 lines."""
    machine.python("import sys; [print('line', n) for n in range(50)]; sys.exit(3)")
    ended = machine.start().gone()["ended"]
    assert (ended["reason"], ended["exit_code"]) == ("failed", 3)
    assert ended["last_lines"] == [f"line {n}" for n in range(30, 50)]


def test_killed_program(machine: Machine):
    """A program that a signal ended has the exit code that a shell gives it."""
    machine.task["command"] = ["sh", "-c", "kill -9 $$"]
    assert machine.start().gone()["ended"]["exit_code"] == 137


def test_program_not_found(machine: Machine):
    """A command that does not exist is a failure with exit code 127 that names the command."""
    machine.task["command"] = ["no-such-program"]
    ended = machine.start().gone()["ended"]
    assert (ended["reason"], ended["exit_code"]) == ("failed", 127)
    assert "no-such-program" in ended["message"]


def test_setup_failure(machine: Machine):
    """When the set-up command fails the program is not started."""
    machine.task.update(setup="echo preparing; exit 9", command=["echo", "started"])
    report = machine.start().gone()
    assert report["ended"]["reason"] == "failed"
    assert "the set-up command failed" in report["ended"]["message"]
    assert "preparing" in machine.log()
    assert "started" not in machine.log().splitlines()


def test_leftovers_end_with_the_program(machine: Machine):
    """Processes that the program left in its group are asked to end, do not outlive it, and do not hold it up."""
    polite, stubborn = "(trap 'echo bye; exit' TERM; sleep 300 & wait) &", "(trap '' TERM; sleep 300) &"
    machine.task["command"] = ["sh", "-c", f"{polite} {stubborn} sleep 0.3"]
    report = machine.start().gone(seconds=15)
    assert report["ended"]["reason"] == "finished"
    assert "bye" in machine.log().splitlines()
    assert not list(machine.processes())


def test_cancel_order(machine: Machine):
    """An order to stop sends SIGTERM, saves what the program then writes, and sends the machine home."""
    machine.task["command"] = ["sh", "-c", "trap 'echo late >checkpoints/late; exit 0' TERM; echo up; sleep 60 & wait"]
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.store.order(run=False, reason="cancelled")
    assert machine.gone()["ended"]["reason"] == "cancelled"
    assert [file["path"] for file in machine.store.manifests()[-1]["parts"][0]["files"]] == ["checkpoints/late"]


def test_torn_metadata(machine: Machine):
    """A metadata service whose answers break off is as one that does not answer: it sends nobody home."""
    machine.server.torn_metadata = "spot/instance-action"
    machine.task["command"] = ["sleep", "0.5"]
    assert machine.start().gone()["ended"]["reason"] == "finished"
    assert "the agent failed" not in machine.log()


def test_program_with_an_odd_name(machine: Machine):
    """The kernel cuts names of processes at fifteen bytes, in the middle of a letter too; that stops nobody."""
    machine.task["command"] = [
        "bash", "-c", "printf 'training-\\351\\200' >/proc/$$/comm; trap 'exit 0' TERM; echo up; sleep 60 & wait",
    ]  # fmt: skip
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.store.order(run=False, reason="cancelled")
    assert machine.gone()["ended"]["reason"] == "cancelled"


def test_stubborn_program(machine: Machine):
    """A program that ignores SIGTERM is killed after the grace."""
    machine.task["stop_grace_seconds"] = 1
    machine.task["command"] = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"]
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.store.order(run=False, reason="over-budget")
    ended = machine.gone()["ended"]
    assert (ended["reason"], ended["exit_code"]) == ("over-budget", 137)


def test_record_gone(machine: Machine):
    """A record that is not there any more means that the machine is not wanted."""
    machine.task["command"] = ["sh", "-c", "echo up; sleep 60"]
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.store.delete(f"{PREFIX}record.json")
    assert machine.gone()["ended"]["reason"] == "cancelled"


def test_another_attempt(machine: Machine):
    """Orders that name another attempt end this one."""
    machine.store.order(attempt=2)
    machine.task["command"] = ["sleep", "60"]
    assert machine.start().gone()["ended"]["reason"] == "cancelled"


def test_deadline_without_a_store(machine: Machine):
    """A deadline that was once read is kept though the store is gone by then, and is reported when it is back."""
    deadline = datetime.now(UTC) + timedelta(seconds=6)
    machine.store.order(deadline=deadline.strftime("%Y-%m-%dT%H:%M:%SZ"), reason="over-budget")
    machine.task["command"] = ["sh", "-c", "trap 'date +%s >stopped; exit 0' TERM; echo up; sleep 60 & wait"]
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.server.down.set()
    stopped = machine.work / "stopped"
    at = until(lambda: stopped.exists() and stopped.read_text(), "the stop")
    assert -1 <= int(at) - deadline.timestamp() <= 3
    machine.server.down.clear()
    assert machine.gone()["ended"]["reason"] == "over-budget"


def test_work_folder_gone(machine: Machine):
    """To a role that may not list its folder a missing object is a refusal: believed for no longer than IAM settles."""
    machine.task.update(workdir=machine.store.send_workdir({"x": b""}), settle_seconds=1)
    machine.server.forbidden = "/workdirs/"
    ended = machine.start().gone(seconds=15)["ended"]
    assert ended["reason"] == "failed"
    assert "not in the store any more, or may not be read" in ended["message"]


def test_nobody_says_when(machine: Machine):
    """Also with no deadline that could be read the machine stops in order, long before its timer switches it off."""
    machine.boarding["stop_after_minutes"] = 0.05
    machine.task["command"] = ["sh", "-c", "trap 'echo late >checkpoints/late; exit 0' TERM; echo up; sleep 60 & wait"]
    assert machine.start().gone()["ended"]["reason"] == "over-time"
    assert [file["path"] for file in machine.store.manifests()[-1]["parts"][0]["files"]] == ["checkpoints/late"]


def test_last_upload_has_an_end(machine: Machine):
    """A machine that cannot send its last files goes home after as long as it was told, whatever the store says."""
    machine.boarding["last_upload_seconds"] = 1
    machine.task["command"] = ["sh", "-c", "echo up; while [ ! -e go ]; do sleep 0.1; done"]
    machine.start()
    until(lambda: "up" in machine.log(), "the program")
    machine.server.forbidden = PREFIX
    (machine.work / "go").touch()
    until(lambda: "-h now" in machine.shutdowns(), "the shutdown")


def test_what_could_not_be_sent_is_told_and_is_no_success(machine: Machine):
    """While it runs in its output, and at its end as a failure: the machine had the only copy."""
    machine.boarding["last_upload_seconds"] = 1
    machine.server.forbidden = "/blobs/"
    machine.python("import time; open('checkpoints/a', 'w').write('x'); time.sleep(2); print('done', flush=True)")
    ended = machine.start().gone()["ended"]

    assert (ended["reason"], ended["exit_code"]) == ("failed", 0)
    assert ended["message"].startswith("what was saved last is not in the store: ")
    assert machine.log().count("cannot save, and tries again: ") == 1
    assert machine.log().index("cannot save") < machine.log().index("done")


def test_what_a_daemon_goes_on_writing_is_ended_so_that_the_rest_of_its_folder_is_whole(machine: Machine):
    """A logger in a session of its own outlives the program, and is its all the same."""
    machine.python(
        "import os, subprocess, sys, time; os.mkdir('outputs/run')\n"
        'log = \'while 1: open("outputs/run/log", "a").write("x" * 1000)\'\n'
        "subprocess.Popen([sys.executable, '-c', log], start_new_session=True, stdout=subprocess.DEVNULL)\n"
        "time.sleep(1); open('outputs/run/result', 'w').write('res')"
    )
    assert machine.start().gone()["ended"]["reason"] == "finished"
    assert "outputs/run/result" in paths(machine.store.manifests()[-1])


def test_late_heartbeat(machine: Machine):
    """A heartbeat that is slow on its way never replaces the report of the end."""
    machine.server.heartbeat_delay = 2.0
    machine.task["command"] = ["sleep", "1"]
    machine.start().gone()
    with pytest.raises(pytest.fail.Exception):
        until(lambda: "ended" not in machine.report(), "another report", seconds=2.5)


def test_defect(machine: Machine):
    """An agent that meets what it cannot understand says so on the console and goes home."""
    machine.task["checkpoint_dir"] = None
    machine.start()
    until(lambda: "-h now" in machine.shutdowns(), "the shutdown")
    assert "TypeError" in machine.console()


CORES = '{"0": {"neuroncore_utilization": 80.0}, "1": {"neuroncore_utilization": 40.0}}'
NEURON_REPORT = (
    '{"neuron_hardware_info": {"neuron_device_count": 2, "neuroncore_per_device_count": 2}, "neuron_runtime_data": '
    f'[{{"report": {{"neuroncore_counters": {{"neuroncores_in_use": {CORES}}}}}}}]}}'
)


def devices(present: int) -> list[dict[str, Any]]:
    return [dict(sample) for sample in neuron_devices(present)]


def test_neuron_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neuron cores are folded to devices; one that no runtime uses, or a monitor that is mute, has its reason."""
    monitor = tmp_path / "neuron-monitor"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert [device["percent"] for device in devices(2)] == [None, None]
    assert "cannot be started" in devices(1)[0]["reason"]
    monitor.write_text(f"#!/bin/sh\necho '{NEURON_REPORT}'; exec sleep 60\n")
    monitor.chmod(0o755)
    first, second = devices(2)
    assert (first["percent"], first["reason"]) == (60.0, "")
    assert second["percent"] is None
    assert "no runtime" in second["reason"]
    monitor.write_text("#!/bin/sh\necho nonsense\n")
    assert "cannot be read" in devices(1)[0]["reason"]


def test_report_names_every_device(machine: Machine):
    """The heartbeat has a sample for each device, with a percentage or the reason why there is none."""
    shim = machine.home / "bin"
    machine.task["setup"] = "true"
    machine.task["command"] = ["sleep", "3"]
    machine.start()
    (shim / "nvidia-smi").write_text(
        "#!/bin/sh\necho '0, NVIDIA H200, 87, 14377, 143771'; echo '1, NVIDIA H200, [N/A], [N/A], 143771'\n"
    )
    (shim / "nvidia-smi").chmod(0o755)
    samples = {sample["device"]: sample for sample in machine.gone()["utilisation"]}
    assert samples["nvidia0 NVIDIA H200"]["percent"] == 87.0
    assert samples["nvidia0 NVIDIA H200"]["memory_percent"] == 10.0
    assert samples["nvidia1 NVIDIA H200"]["percent"] is None
    assert samples["nvidia1 NVIDIA H200"]["reason"]
    assert (samples["nvidia1 NVIDIA H200"]["memory_percent"], samples["cpu"]["memory_percent"]) == (None, None)
    assert samples["nvidia1 NVIDIA H200"]["memory_reason"] == "nvidia-smi says [N/A]"
    assert samples["cpu"]["memory_reason"]
    assert 0 <= samples["cpu"]["percent"] <= 100


def test_a_role_that_cannot_be_used_yet_is_waited_for() -> None:
    """What the metadata service says of a new role is no credential, and no reason to go home."""
    for text in ('{"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"}', "", "null"):
        with pytest.raises(Unreachable):
            whole(text)
    held, _ = whole(
        json.dumps({"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2030-01-01T00:00:00Z"})
    )
    assert held["Token"] == "c"
