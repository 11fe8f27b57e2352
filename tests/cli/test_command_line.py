"""The manners of the command line, by running it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.cli.main import run

BARE = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent"}


def accelctl(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provisioner", *arguments],
        capture_output=True, text=True, timeout=60, cwd=cwd, env=BARE | {"HOME": str(cwd)} | environment,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_help_groups_the_commands(tmp_path: Path) -> None:
    """A newcomer sees what there is, by purpose; what does not work yet is not shown."""
    shown = accelctl("--help", cwd=tmp_path).stdout

    assert all(f"{title}:" in shown for title in ("Train", "Guard", "Sandbox", "Set up"))
    assert not any(f"  {name} " in shown for name in ("offers", "recommend", "cost"))


@pytest.mark.parametrize(
    "name",
    [
        "spot-train",
        "status",
        "logs",
        "fetch",
        "cancel",
        "step",
        "reap",
        "check",
        "teardown",
        "setup",
        "doctor",
        "sandbox",
    ],
)
def test_every_command_shows_an_example_first(tmp_path: Path, name: str) -> None:
    """--help of a command opens with one realistic line."""
    shown = accelctl(name, "--help", cwd=tmp_path)

    assert shown.returncode == 0
    assert f"accelctl {name}" in shown.stdout.split("Options:")[0].split("Usage:")[1].partition("\n")[2]


def test_help_loads_no_sdk_and_no_store(tmp_path: Path) -> None:
    """Start-up stays quick: no SDK, obstore or asyncio before a command needs them."""
    code = (
        "import sys\nfrom provisioner.cli.main import run\nrun(['--help'])\n"
        "print(sorted({'boto3', 'botocore', 'obstore', 'asyncio', 'moto', 'msgspec', 'pathspec'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)

    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["spot-trian"], "spot-train"),
        (["spot-train", "--", "true"], "--instance"),
        (["spot-train", "--instance", "p4d.24xlarge"], "command"),
        (
            ["spot-train", "--instance", "p4d.24xlarge", "python", "train.py", "--dry-run"],
            "'python' does not follow --",
        ),
        (["spot-train", "--instance", "p4d.24xlarge", "python", "train.py", "--", "x"], "'python' does not follow --"),
        (["spot-train", "--instance", "p4d.24xlarge", "--max-duration", "soon", "--", "true"], "soon"),
        (["spot-train", "--instance", "p4d.24xlarge", "--budget", "-3", "--", "true"], "--budget"),
        (["spot-train", "--instance", "p4d.24xlarge", "--cloud", "moon", "--", "true"], "moon"),
        (["setup", "--cloud", "gcp"], "pulumi up' of base-gcp"),
        (["setup", "--cloud", "azure"], "pulumi up' of base-azure"),
        (["teardown"], "--everything"),
        (["status", "--output", "yaml"], "--output"),
    ],
)
def test_a_mistake_is_exit_2_with_one_sentence(tmp_path: Path, arguments: list[str], word: str) -> None:
    """Wrong input never shows a traceback, and the sentence names what is wrong."""
    done = accelctl(*arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("ACCELCTL_WAY", "foo", "gateway"),
        ("ACCELCTL_BUDGTE", "5", "ACCELCTL_BUDGET"),
        ("AWS_ENDPOINT_URL", "bogus", "AWS_ENDPOINT_URL"),
    ],
)
def test_a_mistake_in_the_environment_is_exit_2_with_one_sentence(
    tmp_path: Path, variable: str, value: str, word: str
) -> None:
    """A misspelt limit would be no limit at all."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    done = accelctl("status", cwd=tmp_path, **keys, **{variable: value})

    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_help_without_a_command_is_no_error_message(tmp_path: Path) -> None:
    """Nor does a sentence that ends with a question get another end."""
    assert accelctl(cwd=tmp_path).stderr.startswith("Usage: accelctl")
    assert "'--instance'?\n" in accelctl("spot-train", "--instnce", "x", cwd=tmp_path).stderr


def test_a_reader_that_leaves_early_is_no_defect(tmp_path: Path) -> None:
    """As `| head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "config", "show"],
        stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=BARE | {"HOME": str(tmp_path)},
        check=False,
    )  # fmt: skip
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is Linux's /dev/full")
def test_a_disk_that_takes_no_output_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, no traceback at the end of the process, and no defect of ours."""
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = run(["config", "show"])

    assert code == 2
    assert "the output cannot be written: No space left" in capsys.readouterr().err


def test_a_folder_that_is_gone_is_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings are looked for from there upwards."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert run(["config", "show"]) == 2
    assert "the current folder is gone" in capsys.readouterr().err


def test_the_sandbox_flag_without_a_sandbox_is_exit_2(tmp_path: Path) -> None:
    """It says how to start one."""
    done = accelctl("--sandbox", "status", cwd=tmp_path, ACCELCTL_SANDBOX_HOME=str(tmp_path / "none"))

    assert done.returncode == 2
    assert "accelctl sandbox start" in done.stderr


def test_no_credentials_is_exit_2_with_a_hint(tmp_path: Path) -> None:
    """Without credentials nothing is asked of any cloud."""
    done = accelctl("spot-train", "--instance", "p4d.24xlarge", "--region", "us-east-1", "--", "true", cwd=tmp_path)

    assert done.returncode == 2
    assert "credentials" in done.stderr
    assert "hint:" in done.stderr


def test_a_type_that_nobody_knows_is_exit_2_with_the_nearest_names(tmp_path: Path) -> None:
    """A typo in a type is answered with what was probably meant."""
    done = accelctl("spot-train", "--instance", "p4d.42xlarge", "--", "true", cwd=tmp_path)

    assert done.returncode == 2
    assert "p4d.24xlarge" in done.stderr
    assert "there are no AWS credentials" in done.stderr, "what to do first, so that the cloud can be asked"


def test_config_show_prints_where_each_value_came_from(tmp_path: Path) -> None:
    """Every setting with its source, as one JSON document."""
    (tmp_path / "accelctl.toml").write_text("disk = 300\n")
    done = accelctl("config", "show", "--output", "json", cwd=tmp_path, ACCELCTL_MAX_WAIT="2h")
    held = {row["name"]: row for row in json.loads(done.stdout)["settings"]}

    assert held["max_wait"] == {"name": "max_wait", "value": 7200.0, "source": "$ACCELCTL_MAX_WAIT"}
    assert held["disk"]["source"].endswith("accelctl.toml")
    assert held["fallback"]["source"] == "default"
