"""Sandbox machines are real processes with their own metadata service, role and end."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from provisioner.sandbox import client
from provisioner.sandbox.client import SandboxError, ask
from tests.sandbox.world import TYPE, alive, aws, content, describe, launch, state_of, until

OWN_END = Path(__file__).parents[2] / "stacks/components/own_end.sh"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def home_of(sandbox: dict[str, Any], instance_id: str) -> Path:
    return Path(sandbox["root"], "machines", instance_id, "home")


def test_the_metadata_service_wants_a_token_and_tells_of_the_end_only_after_notice(sandbox: dict[str, Any]) -> None:
    """IMDSv2 only; interruption paths are 404 until the notice."""
    made = launch("sleep 60")["InstanceId"]
    base = f"{sandbox['endpoint']}/_imds/{made}/latest/"

    def get(path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            asked = urllib.request.Request(base + path, method=method, headers=names)
            return 200, urllib.request.urlopen(asked).read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    token = {"x_aws_ec2_metadata_token": get("api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds="60")[1]}
    ends = ["spot/instance-action", "spot/termination-time", "events/recommendations/rebalance"]
    assert get("meta-data/instance-id")[0] == 401
    assert get("meta-data/instance-id", **token) == (200, made)
    assert [get(f"meta-data/{path}", **token)[0] for path in ends] == [404, 404, 404]

    ask("interrupt", instance=made, notice="120")

    assert json.loads(get("meta-data/spot/instance-action", **token)[1])["action"] == "terminate"
    assert [get(f"meta-data/{path}", **token)[0] for path in ends] == [200, 200, 200]


def test_terminate_takes_every_descendant_even_a_daemon(sandbox: dict[str, Any]) -> None:
    """Nothing of a machine outlives it, whatever session it moved to."""
    made = launch("setsid nohup sleep 900 & echo $! >pid; sleep 900")["InstanceId"]
    pid = int(until(lambda: content(home_of(sandbox, made) / "pid")))
    aws("ec2").terminate_instances(InstanceIds=[made])

    until(lambda: not alive(pid), 5)


@pytest.mark.parametrize(("behaviour", "state"), [("stop", "stopped"), ("terminate", "terminated")])
@pytest.mark.usefixtures("sandbox")
def test_its_own_shutdown_follows_the_behaviour(behaviour: str, state: str) -> None:
    """`shutdown` inside stops or terminates, and the reason says so."""
    made = launch("shutdown -h now", InstanceMarketOptions=None, InstanceInitiatedShutdownBehavior=behaviour)
    found = until(lambda: (d := describe(made["InstanceId"])) and d["State"]["Name"] == state and d)

    assert found["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


@pytest.mark.usefixtures("sandbox")
def test_an_interruption_without_notice_is_simply_the_end() -> None:
    """Gone at once, with the reason and the request status that AWS gives, and the time of it."""
    made = launch("sleep 60")
    until(lambda: describe(made["InstanceId"]))
    ask("interrupt", instance=made["InstanceId"], notice="0")
    found = describe(made["InstanceId"])
    request = aws("ec2").describe_spot_instance_requests(SpotInstanceRequestIds=[made["SpotInstanceRequestId"]])
    status = request["SpotInstanceRequests"][0]

    assert found is not None
    assert found["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert (status["State"], status["Status"]["Code"]) == ("closed", "instance-terminated-no-capacity")


@pytest.mark.usefixtures("sandbox")
def test_a_name_of_several_machines_interrupts_none_of_them() -> None:
    """Both are named, and the developer chooses."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "accelctl:name", "Value": "twins"}]}]
    made = [launch("sleep 60", TagSpecifications=tags)["InstanceId"] for _ in range(2)]

    with pytest.raises(SandboxError, match="has 2 machines") as said:
        ask("interrupt", instance="twins", notice="0")
    assert all(one in str(said.value) for one in made)
    assert not any(state_of(one) == "terminated" for one in made)


@pytest.mark.usefixtures("sandbox")
def test_the_moved_clock_moves_notices_and_prices_but_no_process() -> None:
    """A notice of two hours is due when the clock is advanced by two hours."""
    made = launch("sleep 60")["InstanceId"]
    ask("interrupt", instance=made, notice="7200")
    until(lambda: state_of(made) == "running")
    ask("clock", advance="7201")

    until(lambda: state_of(made) == "terminated", 3)


@pytest.mark.usefixtures("sandbox")
def test_the_console_can_be_read_afterwards() -> None:
    """What a machine prints is GetConsoleOutput's answer."""
    made = launch("echo hello from the console; shutdown -h now")["InstanceId"]
    until(lambda: state_of(made) == "terminated")

    assert "hello from the console" in aws("ec2").get_console_output(InstanceId=made, Latest=True)["Output"]


@pytest.mark.usefixtures("sandbox")
def test_a_machine_has_the_bare_system_and_not_the_developers_environment(sandbox: dict[str, Any]) -> None:
    """PATH has no virtual environment; the image's Python is named in a variable of its own."""
    made = launch("env >out; echo done >>out")["InstanceId"]
    out = home_of(sandbox, made) / "out"
    until(lambda: "done" in content(out))
    held = dict(line.split("=", 1) for line in content(out).splitlines() if "=" in line)

    assert ".venv" not in held["PATH"]
    assert ".venv" in held["ACCELCTL_IMAGE_PATH"]
    assert "AWS_ACCESS_KEY_ID" not in held


@pytest.mark.usefixtures("sandbox")
def test_a_later_boot_runs_what_lies_in_per_boot_and_not_the_user_data() -> None:
    """As cloud-init has it: a machine that was started anew does only what its first boot left there."""
    later = (
        "d=${0%/instance/*}/scripts/per-boot; mkdir -p $d; printf '#!/bin/sh\nshutdown -h now\n' >$d/x; chmod 755 $d/x"
    )
    made = launch(f"{later}; echo up; sleep 60", InstanceMarketOptions=None)["InstanceId"]
    until(lambda: "up" in aws("ec2").get_console_output(InstanceId=made, Latest=True).get("Output", ""))
    aws("ec2").stop_instances(InstanceIds=[made])
    until(lambda: state_of(made) == "stopped")
    aws("ec2").start_instances(InstanceIds=[made])

    until(lambda: state_of(made) == "terminated")
    assert aws("ec2").get_console_output(InstanceId=made)["Output"].count("up") == 1


@pytest.mark.usefixtures("sandbox")
def test_a_stacks_machine_ends_itself_by_its_label_at_every_boot() -> None:
    """At once where the label is long past; while it is ahead the machine goes on. Another label counts at once."""
    late, early = ended_by("2026-01-01T00:00:00Z"), ended_by("2126-01-01T00:00:00Z")
    assert until(lambda: state_of(late) == "terminated")
    assert state_of(early) == "running"

    aws("ec2").create_tags(Resources=[early], Tags=[{"Key": "accelctl:expires-at", "Value": "2026-01-01T00:00:00Z"}])
    aws("ec2").stop_instances(InstanceIds=[early])
    assert until(lambda: state_of(early) == "stopped")
    born = (describe(early) or {})["LaunchTime"]
    ask("clock", advance="60")
    aws("ec2").start_instances(InstanceIds=[early])

    assert until(lambda: state_of(early) == "terminated")
    found = describe(early) or {}
    assert found["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert found["LaunchTime"] > born  # that of the last start


def ended_by(label: str) -> str:
    tags = [{"Key": "accelctl:expires-at", "Value": label}]
    return launch(
        "", UserData=OWN_END.read_text(), MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}], InstanceMarketOptions=None,
    )["InstanceId"]  # fmt: skip


def test_a_frozen_machine_ends_with_its_instance(sandbox: dict[str, Any]) -> None:
    """Whoever stops its processes, to see how a silent machine is treated, need not wake them."""
    made = launch("sleep 902 & echo $! >pid; wait")["InstanceId"]
    program = int(until(lambda: content(home_of(sandbox, made) / "pid")))
    (machine,) = [one for one in client.ask("status")["machines"] if one["instance_id"] == made]
    os.kill(machine["pid"], signal.SIGSTOP)
    aws("ec2").terminate_instances(InstanceIds=[made])

    until(lambda: not alive(program) and not alive(machine["pid"]))


@pytest.mark.parametrize("whose", ["status's", "its own"])
def test_of_a_machine_whose_init_is_killed_nothing_runs_on(sandbox: dict[str, Any], whose: str) -> None:
    """As at a kernel's panic: no program and no timer outlives it, and its status check fails."""
    made = launch("shutdown -h +1462; setsid sleep 903 & echo $SANDBOX_INIT_PID $! >pid; wait")["InstanceId"]
    (init, program) = map(int, until(lambda: content(home_of(sandbox, made) / "pid").split()))
    timer = int(content(home_of(sandbox, made).parent / "shutdown.pid"))
    (machine,) = [one for one in client.ask("status")["machines"] if one["instance_id"] == made]
    os.kill(machine["pid"] if whose == "status's" else init, signal.SIGKILL)

    until(lambda: not any(map(alive, (init, program, timer, machine["pid"]))), 5)
    check = aws("ec2").describe_instance_status(InstanceIds=[made])["InstanceStatuses"][0]
    assert check["InstanceStatus"]["Status"] == "impaired"


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    yield tmp_path
    client.stop(tmp_path)  # also when the test failed: nothing else would ever end it


def test_a_killed_sandbox_leaves_no_machine_and_no_lock(folder: Path) -> None:
    """After kill -9 nothing of it runs, and the next one starts."""
    state, new = client.start(folder, exit_with=os.getpid())
    assert (new, client.start(folder)) == (True, (state, False))
    ec2: Any = boto3.client(  # pyright: ignore
        "ec2", region_name="us-east-1", endpoint_url=state["endpoint"], aws_access_key_id=state["key"],
        aws_secret_access_key="x",
    )  # fmt: skip
    script = "#!/bin/bash\nsetsid sleep 901 & echo $! >pid; sleep 901"
    made = [
        ec2.run_instances(ImageId="ami-1", InstanceType=TYPE, MinCount=1, MaxCount=1, UserData=script)["Instances"][0]
        for _ in range(5)
    ]
    pids = [int(until(lambda m=m: content(home_of(state, m["InstanceId"]) / "pid"))) for m in made]

    os.kill(state["pid"], signal.SIGKILL)

    until(lambda: not any(alive(pid) for pid in pids), 3)
    assert client.running(folder) is None
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(client.start, [folder] * 2))
    assert both[0][0] == both[1][0]
    assert [new for _, new in both].count(True) == 1


def test_a_sandbox_ends_with_the_process_it_was_tied_to(folder: Path) -> None:
    """--exit-with: nothing is left when the process that asked for it is gone."""
    with subprocess.Popen(["sleep", "600"]) as other:
        state, _ = client.start(folder, exit_with=other.pid)
        other.kill()
        other.wait()
    until(lambda: not alive(state["pid"]), 10)
