"""The main job with real processes: interrupted, refused, resumed, finished, paid, gone."""

import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from provisioner.sandbox.machines import PER_INSTANCE
from tests.e2e.jobs import TYPE, Job, accelctl, billed, counting, left_of, machines, overlapping, started
from tests.sandbox.world import until

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.e2e]
CENT = Decimal("0.01")
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]


@pytest.fixture(autouse=True)
def open_market() -> Any:
    """Every zone has capacity, before and after."""
    for zone in ZONES:
        ask("capacity", type=TYPE, zone=zone, count="1000")
    yield
    for zone in ZONES:
        ask("capacity", type=TYPE, zone=zone, count="1000")


def test_a_job_survives_three_interruptions_and_says_what_it_cost(tmp_path: Path) -> None:
    """Capacity refused in the first two zones, two interruptions with notice, one without: every step counts once,
    little is lost, nothing is left, and the cost is the cloud's own to the cent."""
    job = Job("survivor")
    for zone in ZONES[:2]:
        ask("capacity", type=TYPE, zone=zone, count="0")
    with started(*counting("survivor", "--output", "json", steps=500, pace=0.03)) as cli:
        first = job.running(1)
        ask("interrupt", instance=first["id"], notice="2")
        second = job.running(2)
        ask("clock", advance="3700")  # past the free hour
        ask("price", type=TYPE, zone=second["attempts"][1]["zone"], usd="9.99")
        ask("clock", advance="1800")
        ask("interrupt", instance=first["id"], notice="0")
        job.running(3)
        ask("interrupt", instance=first["id"], notice="2")
        out, err = cli.communicate(timeout=120)
    done = json.loads(out)

    assert (cli.returncode, done["state"]) == (0, "succeeded"), err
    assert [attempt["end_reason"] for attempt in done["attempts"]] == ["interrupted"] * 3 + ["finished"]
    assert done["attempts"][0]["zone"] == "us-east-1c"
    assert {refusal["zone"] for refusal in done["refusals"]} >= set(ZONES[:2])
    assert all(attempt["work_lost_seconds"] < 4 for attempt in done["attempts"])
    result = job.result(tmp_path)
    assert (result["steps"], result["sum"]) == (500, sum(range(500)))
    assert not overlapping(done["id"])
    assert left_of(done["id"]) == []
    assert len(machines(done["id"])) == 4
    for kind in ("machine", "disk", "network", "store"):
        assert abs(Decimal(done["cost"][kind]) - billed(done["id"], kind)) < CENT, kind
    assert Decimal(done["attempts"][0]["cost"]) < CENT, "the first hour is free when the cloud takes it back"
    assert Decimal(done["cost"]["machine"]) > 10


def test_two_types_are_bought_by_a_fleet_and_leave_no_template() -> None:
    """With several --instance one call asks for all of them; the cheapest serves; its template and fleet go."""
    done = accelctl(*counting("fleet", "--instance", "g5.48xlarge", "--output", "json", steps=20))
    job = json.loads(done.stdout)

    assert (done.returncode, job["state"]) == (0, "succeeded"), done.stderr
    assert job["attempts"][0]["instance_type"] == "g5.48xlarge"
    assert left_of(job["id"]) == []


def test_a_failing_program_is_exit_6_with_its_last_words() -> None:
    """Not an interruption: the exit code is the program's, the last lines are shown, nothing is left."""
    done = accelctl("spot-train", "--instance", TYPE, "--output", "json", "--", "bash", "-c", "echo oh no; exit 3")
    job = json.loads(done.stdout)

    assert (done.returncode, job["state"], job["exit_code"]) == (6, "failed", 3)
    assert "exit code 3" in done.stderr
    assert "oh no" in accelctl("logs", job["id"]).stdout
    assert left_of(job["id"]) == []


def test_cancelling_keeps_the_checkpoint(tmp_path: Path) -> None:
    """cancel stops the program, saves, ends the machine; the spot-train that waits ends with 130."""
    job = Job("cancelled")
    with started(*counting("cancelled", steps=5000)) as cli:
        job.running(1)
        assert accelctl("cancel", "cancelled", "--yes").returncode == 0
        cli.communicate(timeout=60)
    found = job.holds(lambda status: status["state"] == "cancelled")

    assert cli.returncode == 130
    assert accelctl("fetch", "cancelled", str(tmp_path)).returncode == 0
    assert list(tmp_path.glob("checkpoints/step-*"))
    assert left_of(found["id"]) == []


def test_detached_the_stepper_alone_carries_the_job_to_its_end(tmp_path: Path) -> None:
    """Detached, the terminal gone, interrupted: `step --watch` buys the next machine and closes the job."""
    job = Job("detached")
    done = accelctl(*counting("detached", "--detach", steps=600))
    assert done.returncode == 0, done.stderr
    assert "no stepper was seen" in done.stderr
    with started("step", "--watch", "--every", "0.3s") as stepper:
        running = job.running(1)
        ask("interrupt", instance=running["id"], notice="0")
        found = job.holds(lambda status: status["state"] == "succeeded", 90)
        stepper.send_signal(signal.SIGINT)
        stepper.communicate(timeout=20)

    assert len(found["attempts"]) == 2
    assert job.result(tmp_path)["steps"] == 600
    assert left_of(found["id"]) == []


def test_a_killed_cli_is_continued_by_the_next_one(tmp_path: Path) -> None:
    """kill -9 of the terminal loses nothing: the same command with the same name goes on with the same machine."""
    job = Job("continued")
    with started(*counting("continued", steps=300)) as cli:
        running = job.running(1)
        cli.kill()
    done = accelctl(*counting("continued", "--output", "json", steps=300))
    found = json.loads(done.stdout)

    assert (done.returncode, found["id"], len(found["attempts"])) == (0, running["id"], 1), done.stderr
    assert job.result(tmp_path)["steps"] == 300


def test_ctrl_c_leaves_it_running_and_says_how_to_return() -> None:
    """Without a terminal to ask, Ctrl-C detaches: exit 130, and the commands that lead back."""
    job = Job("left")
    with started(*counting("left", steps=5000)) as cli:
        running = job.running(1)
        cli.send_signal(signal.SIGINT)
        _, err = cli.communicate(timeout=30)

    assert cli.returncode == 130
    assert f"accelctl status {running['id']}" in err
    assert accelctl("teardown", "left", "--yes").returncode == 0
    assert left_of(running["id"]) == []


def test_no_capacity_within_max_wait_is_exit_4() -> None:
    """Every zone refuses: it says what was tried, waits as long as told, and leaves nothing."""
    for zone in ZONES:
        ask("capacity", type=TYPE, zone=zone, count="0")
    done = accelctl(*counting("nowhere", "--max-wait", "3s", "--output", "json"))
    job = json.loads(done.stdout)

    assert (done.returncode, job["state"], job["attempts"]) == (4, "failed", [])
    assert "us-east-1a" in done.stderr
    assert left_of(job["id"]) == []


def test_a_quota_is_exit_4_with_its_code() -> None:
    """The hint names the quota to ask for."""
    ask("quota", region="us-east-1", code="L-7212CCBC", limit="10")
    try:
        done = accelctl(*counting("quota"))
    finally:
        ask("quota", region="us-east-1", code="L-7212CCBC", limit="4096")

    assert done.returncode == 4
    assert "L-7212CCBC" in done.stderr


def test_over_time_keeps_the_checkpoint_and_resume_goes_on_from_there() -> None:
    """--max-duration ends the machine by the machine's own clock; what it saved is not done again."""
    done = accelctl(*counting("overtime", "--max-duration", "4s", "--output", "json", steps=500))
    job = json.loads(done.stdout)

    assert (done.returncode, job["attempts"][0]["end_reason"]) == (6, "over-time"), done.stderr
    assert job["checkpoint"]["files"] > 0
    assert left_of(job["id"]) == []

    done = accelctl("resume", job["id"], "--max-duration", "10m", "--yes", "--output", "json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "succeeded"), done.stderr
    starts = [line for line in accelctl("logs", job["id"]).stdout.splitlines() if "begins at step" in line]
    assert len(starts) == 2
    assert not starts[1].endswith(" 0")
    assert left_of(job["id"]) == []
    assert accelctl("resume", job["id"]).returncode == 2


def test_a_secret_is_in_no_object_log_record_or_user_data(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """The canary reaches the program, from either store and under a key of the user's own, and nothing else."""
    from tests.sandbox.world import aws

    canary = "canary-7f3a91"
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]
    aws("ssm").put_parameter(Name="/tests/canary", Value=canary, Type="SecureString", KeyId=key)
    aws("secretsmanager").create_secret(Name="tests/by-name", SecretString=canary)
    script = 'test "$TOKEN" = canary-7f3a91 && test "$SAME" = "$TOKEN" && echo got it: $TOKEN'
    done = accelctl(
        "spot-train", "--instance", TYPE, "--secret", "TOKEN=ssm:/tests/canary",
        "--secret", "SAME=secretsmanager:tests/by-name", "--output", "json",
        "--", "bash", "-c", script.replace(canary, "$(echo canary)-7f3a91"),
    )  # fmt: skip
    job = json.loads(done.stdout)
    s3, seen = aws("s3"), 0
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith("accelctl-"))
    for held in s3.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job['id']}/")["Contents"]:
        body = s3.get_object(Bucket=bucket, Key=held["Key"])["Body"].read()
        assert canary.encode() not in body, held["Key"]
        seen += 1
    boot = Path(sandbox["root"], "machines", job["attempts"][0]["instance_id"], PER_INSTANCE).read_text()

    assert (done.returncode, seen > 3) == (0, True), done.stderr
    assert "got it: ***" in accelctl("logs", job["id"]).stdout
    assert canary not in boot
    assert canary not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--secret", "K=ssm:/no/such"), ("--secret", "K=secretsmanager:no-such"), ("--access", "s3://no-such-bucket/x")],
)
def test_what_is_not_there_is_named_before_anything_is_bought(flag: str, value: str) -> None:
    """A machine would be paid for to find that out."""
    done = accelctl("spot-train", "--instance", TYPE, "--dry-run", flag, value, "--", "true")

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert f"error: {flag}: " in done.stderr


def test_a_granted_bucket_is_read_and_an_ungranted_one_is_refused() -> None:
    """--access gives exactly what it names."""
    from tests.sandbox.world import aws

    s3 = aws("s3")
    for name in ("granted-data", "other-data"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="set/a", Body=b"42")
    program = (
        "import boto3, sys\ns3 = boto3.client('s3')\n"
        "print('granted', s3.get_object(Bucket='granted-data', Key='set/a')['Body'].read().decode())\n"
        "for call in (lambda: s3.get_object(Bucket='other-data', Key='set/a'),"
        " lambda: s3.put_object(Bucket='granted-data', Key='set/b', Body=b'1')):\n"
        "    try: call(); print('not refused'); sys.exit(1)\n"
        "    except s3.exceptions.ClientError as error: print('refused', error.response['Error']['Code'])\n"
    )
    done = accelctl(
        "spot-train", "--instance", TYPE, "--access", "s3://granted-data/set", "--", "python", "-c", program
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused AccessDenied") == 2
    assert "granted 42" in done.stdout


def test_the_environment_of_the_program_is_what_was_asked_for() -> None:
    """--env reaches the program, and the folder's setting of the same word stays what it is."""
    asked = ("--env", "RATE=0.1", "--env", "environment=x y", "--", "sh", "-c", "echo rate $RATE, $environment")
    done = accelctl("spot-train", "--instance", TYPE, "--name", "with-env", *asked)

    assert (done.returncode, "rate 0.1, x y" in done.stdout) == (0, True), done.stderr


def test_a_file_whose_name_is_no_text_is_brought_home(tmp_path: Path) -> None:
    """Saved, counted, fetched with the very bytes of its name."""
    script = 'mkdir -p outputs; echo 1 > "outputs/$(printf "odd\\377")"'
    done = accelctl("spot-train", "--instance", TYPE, "--name", "odd", "--", "bash", "-c", script)
    assert done.returncode == 0, done.stderr

    assert accelctl("fetch", "odd", str(tmp_path), "--outputs", "outputs").returncode == 0
    assert [os.fsencode(path.name) for path in (tmp_path / "outputs").iterdir()] == [b"odd\xff"]


@pytest.mark.full
def test_teardown_of_an_owner_leaves_the_others_alone() -> None:
    """Ann's machine, role and job go; Bob's job goes on. A label selects as well."""
    for owner in ("ann", "bob"):
        accelctl(*counting(f"of-{owner}", "--detach", steps=5000), ACCELCTL_OWNER=owner, ACCELCTL_TEAM=f"{owner}s")
    ann, bob = (Job(name).holds(lambda found: found["attempts"]) for name in ("of-ann", "of-bob"))

    done = accelctl("teardown", "--owner", "ann", "--yes")

    assert done.returncode == 0, done.stderr
    assert left_of(ann["id"]) == []
    assert (Job("of-ann").status() or {})["state"] == "cancelled"
    assert left_of(bob["id"]) != []
    assert accelctl("teardown", "--label", "team=bobs", "--yes").returncode == 0
    assert left_of(bob["id"]) == []


@pytest.mark.parametrize("wrong", [(), ("--owner", "ann", "--everything"), ("--label", "team")])
def test_a_teardown_of_nothing_in_particular_is_a_mistake(wrong: tuple[str, ...]) -> None:
    """Exit 2, and nothing is removed."""
    assert accelctl("teardown", *wrong, "--yes").returncode == 2


def test_teardown_everything_leaves_nothing_but_the_bucket() -> None:
    """Machines, identities, network and boundary go in order; a second run finds nothing."""
    job = Job("torn")
    with started(*counting("torn", steps=5000)) as cli:
        running = job.running(1)
        refused = accelctl("teardown", "--everything")
        done = accelctl("teardown", "--everything", "--yes", "--output", "json")
        cli.communicate(timeout=60)

    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert (done.returncode, json.loads(done.stdout)["left"]) == (0, []), done.stderr
    assert left_of(running["id"]) == []
    assert "nothing is there" in accelctl("teardown", "--everything", "--yes").stderr
    until(lambda: cli.returncode is not None)
