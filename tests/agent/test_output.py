"""The program's output on its way to the store, and what must not be in it."""

from pathlib import Path

from tests.agent.machine import PREFIX, Machine, client, paths, until

CANARY = "canary-7f3a9c51-value"
PEM = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7canary\nq8Zt1canaryline\n-----END KEY-----"


def logs(machine: Machine) -> list[str]:
    return machine.store.listed(f"{PREFIX}attempts/1/logs/0/")


def test_output_is_complete_and_in_order(machine: Machine):
    """Output larger than an object is there whole, in order, over as many objects as it needs."""
    machine.python("for n in range(100_000): print('line', n)")
    report = machine.start().gone()
    log = machine.log().splitlines()
    assert log[:100_000] == [f"line {n}" for n in range(100_000)]
    assert logs(machine)[0].endswith("/000001.log")
    assert len(logs(machine)) == 5
    assert len(machine.store.get(logs(machine)[0])) == 256 * 1024
    assert report["log_bytes"] == len(machine.log().encode())


def test_output_comes_soon(machine: Machine):
    """What a program prints is in the store within seconds, a line without an end too."""
    machine.task["command"] = ["sh", "-c", "printf 'step 1'; sleep 60"]
    machine.start()
    until(lambda: "step 1" in machine.log(), "the output", seconds=8)


def test_steady_output_is_sent_rarely(machine: Machine):
    """A program that prints all the time does not cause a request for every line."""
    machine.task["command"] = ["sh", "-c", "for n in $(seq 100); do echo $n; sleep 0.05; done"]
    machine.task["heartbeat_every_seconds"] = 60
    machine.start().gone()
    assert len([asked for asked in machine.server.requests if "/logs/" in asked.path]) <= 6


def test_secrets_stay_in_memory(machine: Machine):
    """The program gets its secrets; no object, file or command line has them, though the program prints them."""
    client(machine.server, "ssm").put_parameter(Name="/t/token", Value=CANARY, Type="SecureString", Overwrite=True)
    made = client(machine.server, "secretsmanager").create_secret(Name=f"key-{machine.store.bucket}", SecretString=PEM)
    machine.task["secrets"] = {"TOKEN": "ssm:/t/token", "KEY": f"secretsmanager:{made['ARN']}"}
    machine.python(
        "import os, sys, time; t = os.environ['TOKEN']; print('token', t); print(os.environ['KEY']);"
        "print('halves', t[:9], end='', flush=True); time.sleep(1.5); print(t[9:]);"
        "sys.stdout.write('split ' + t[:9]); sys.stdout.flush(); time.sleep(1.5); print(t[9:]);"
        "print(len(t), len(os.environ['KEY'])); sys.exit(1)"
    )
    machine.start()
    seen: set[str] = set()

    def over() -> bool:
        for pid in machine.processes():
            seen.update(command_line(pid))
        return "-h now" in machine.shutdowns()

    until(over, "the end")
    assert f"{len(CANARY)} {len(PEM)}" in machine.log(), "the program had them"
    assert "token ***" in machine.log()
    assert "split ***" in machine.log()
    kept = [machine.store.get(key) for key in machine.store.listed()]
    kept += [path.read_bytes() for path in machine.home.rglob("*") if path.is_file()] + [" ".join(seen).encode()]
    for value in (CANARY, *PEM.splitlines()[1:3]):
        assert not [content for content in kept if value.encode() in content]


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def test_secret_that_is_not_there(machine: Machine):
    """A reference that leads nowhere is a failure that names it, and the program is not started."""
    machine.task.update(secrets={"TOKEN": "ssm:/nowhere"}, command=["echo", "started"])
    ended = machine.start().gone()["ended"]
    assert ended["reason"] == "failed"
    assert "TOKEN" in ended["message"]
    assert "started" not in machine.log().splitlines()


def test_secret_that_may_not_be_read(machine: Machine):
    """A lasting refusal, by a policy or by the secret's key, ends the job with its name and does not crash."""
    machine.server.refused_service = "AmazonSSM"
    machine.task.update(secrets={"TOKEN": "ssm:/t/token"}, command=["echo", "started"], settle_seconds=1)
    ended = machine.start().gone()["ended"]
    assert ended["reason"] == "failed"
    assert "--secret TOKEN may not be read" in ended["message"]
    assert "started" not in machine.log().splitlines()


def test_full_disk(machine: Machine):
    """The program's output is lost, and the program is neither held up nor stopped; what it saved is safe."""
    (machine.home / "accelctl").mkdir(parents=True)
    (machine.home / "accelctl" / "output.log").symlink_to("/dev/full")
    machine.python("print('x' * 200_000, flush=True); open('checkpoints/a', 'w').write('saved')")
    assert machine.start().gone()["ended"]["reason"] == "finished"
    assert paths(machine.store.manifests()[-1]) == ["checkpoints/a"]


def test_carriage_returns(machine: Machine):
    """A progress bar, which never ends its line, is shipped while it runs."""
    machine.python("import time\nfor n in range(600): print(f'\\r{n}%', end='', flush=True); time.sleep(0.1)")
    machine.start()
    until(lambda: "5%" in machine.log(), "the bar", seconds=10)


def test_expired_credentials_are_renewed_for_a_secret_too(machine: Machine):
    """Whichever service finds them expired."""
    client(machine.server, "ssm").put_parameter(Name="/t/token", Value=CANARY, Type="SecureString", Overwrite=True)
    machine.task.update(secrets={"TOKEN": "ssm:/t/token"}, command=["sh", "-c", "echo ${#TOKEN}"])
    machine.boarding["last_upload_seconds"] = 5
    machine.server.expired_service = "AmazonSSM"
    assert machine.start().gone()["ended"]["last_lines"] == [str(len(CANARY))]
