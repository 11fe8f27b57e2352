"""What spot-train accepts, and how it refuses the rest: exit 2, the field named, a hint."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from provisioner.cli.training import same_job, say_resumable
from provisioner.cli.wishes import wishes
from provisioner.domain.jobs import EndReason, Fallback, Grant, JobState
from provisioner.errors import ConfigError
from provisioner.jobs import names
from provisioner.jobs.resume import Allowance, resumed
from tests.jobs.builders import JOB, START, World, a_record, launched

NOTHING: dict[str, Any] = {
    "instances": ("p4d.24xlarge",), "program": ("python", "train.py"), "job_file": None, "dry_run": False,
    "detach": False, "yes": False, "form": "table",
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def test_what_was_not_said_has_its_default() -> None:
    """A type and a command are enough."""
    spec = wishes(NOTHING).spec

    assert (spec.max_duration, spec.max_wait) == (timedelta(hours=24), timedelta(hours=1))
    assert (spec.checkpoint_dir, spec.fallback, spec.max_restarts) == ("checkpoints", Fallback.NONE, 0)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"instances": ()}, "--instance"),
        ({"program": ()}, "command"),
        ({"variables": ("WANDB_API_KEY=1",)}, "--env: WANDB_API_KEY"),
        ({"variables": ("DB_PASSWORD=1",)}, "--env: DB_PASSWORD"),
        ({"variables": ("novalue",)}, "--env"),
        ({"variables": ("ACCELCTL_JOB=mine",)}, "--env: ACCELCTL_JOB"),
        ({"secrets": ("TOKEN=plain",)}, "--secret: TOKEN"),
        ({"secrets": ("TOKEN=ssm:/",)}, "--secret: TOKEN"),
        ({"secrets": ("TOKEN=secretsmanager:arn:foo",)}, "--secret: TOKEN"),
        ({"secrets": ("TOKEN=secretsmanager:arn:aws:ssm:us-east-1:123456789012:parameter/x",)}, "--secret: TOKEN"),
        ({"program": ("",)}, "command"),
        ({"checkpoint_dir": "a", "outputs_dir": "a/b"}, "--checkpoint-dir"),
        ({"access": ("https://bucket",)}, "--access"),
        ({"access": ("s3://b/x:rx",)}, "--access"),
        ({"checkpoint_dir": "/tmp"}, "--checkpoint-dir"),
        ({"outputs_dir": "../out"}, "--outputs-dir"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(given: dict[str, Any], word: str) -> None:
    """Each refusal names its field and says what to do."""
    with pytest.raises(ConfigError) as refusal:
        wishes(NOTHING | given)

    assert word in refusal.value.message
    assert refusal.value.hint


def test_a_secret_is_pointed_to_the_secret_flag() -> None:
    """The hint shows the very flag that keeps the value out of the record."""
    with pytest.raises(ConfigError) as refusal:
        wishes(NOTHING | {"variables": ("HF_TOKEN=abc",)})

    assert "--secret HF_TOKEN=ssm:/path" in refusal.value.hint
    assert "abc" not in f"{refusal.value.message} {refusal.value.hint}"


def test_access_is_to_read_unless_it_says_write() -> None:
    """s3://bucket/prefix reads; :rw also writes."""
    spec = wishes(NOTHING | {"access": ("s3://data/imagenet", "s3://results/run:rw", "s3://whole")}).spec

    assert spec.access == (
        Grant(bucket="data", prefix="imagenet"),
        Grant(bucket="results", prefix="run", write=True),
        Grant(bucket="whole", prefix=""),
    )


def test_a_job_file_may_write_numbers_as_numbers(tmp_path: Path) -> None:
    """What a flag takes as text, the file may hold as TOML has it."""
    file = tmp_path / "job.toml"
    file.write_text('budget = 12.5\ndisk = 300\nmax-restarts = 2\nenv = { SEED = 7 }\ncommand = "python a.py"\n')

    spec = wishes(NOTHING | {"job_file": file}).spec

    assert (spec.budget, spec.disk_gib, spec.max_restarts) == (Decimal("12.5"), 300, 2)
    assert spec.environment == {"SEED": "7"}


@pytest.mark.parametrize("name", ["", "team/exp 1", "../../x", "ü", "a" * 64, "20261121-204806-7fvm7"])
def test_a_name_that_cannot_be_kept_as_it_is_is_refused(name: str) -> None:
    """Two names never become one."""
    with pytest.raises(ConfigError, match="--name"):
        wishes(NOTHING | {"name": name})
    assert wishes(NOTHING | {"name": "my_run.2-a"}).spec.name == "my_run.2-a"


@pytest.mark.parametrize("name", ["PASSPHRASE", "MYSQL_PWD", "KEY", "AUTH", "JWT", "GITHUB_PAT", "TOKENIZER_API_KEY"])
def test_what_looks_like_a_secret_is_kept_out_of_the_record(name: str) -> None:
    """By its name."""
    with pytest.raises(ConfigError, match="looks like a secret"):
        wishes(NOTHING | {"variables": (f"{name}=x",)})


@pytest.mark.parametrize("name", ["TOKENIZERS_PARALLELISM", "MAX_NEW_TOKENS", "MONKEY", "AUTHOR"])
def test_what_only_sounds_like_a_secret_is_taken(name: str) -> None:
    """Tokens of text are no tokens of a service."""
    assert wishes(NOTHING | {"variables": (f"{name}=x",)}).spec.environment == {name: "x"}


def test_a_name_in_the_environment_is_given_once() -> None:
    """By --env or by --secret."""
    with pytest.raises(ConfigError, match="both give A"):
        wishes(NOTHING | {"variables": ("A=1",), "secrets": ("A=ssm:/a",)})


def test_a_new_job_of_a_name_says_that_the_last_one_could_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """It begins at its beginning; what was saved is the last one's."""
    world = World()
    launched(world)
    world.report(checkpoint=world.save(1))
    world.step()
    world.report_end(EndReason.OVER_TIME)
    world.step()
    names.claim(world.objects, "demo", JOB)

    say_resumable(cast("Any", world), "demo")
    say_resumable(cast("Any", world), "another")
    assert capsys.readouterr().err == (
        f"this is a new job; 'accelctl resume {JOB}' goes on from checkpoint 1 of the last one\n"
    )


def test_an_active_job_of_the_name_is_continued_only_as_it_was_asked_for() -> None:
    """Another budget or machine is no detail: exit 2 names the flags."""
    asked = wishes(NOTHING | {"name": "nightly"})
    record = a_record(spec=asked.spec)

    assert same_job(record, asked) is record
    with pytest.raises(ConfigError, match="--instance, --budget"):
        same_job(record, wishes(NOTHING | {"name": "nightly", "instances": ("g5.xlarge",), "budget": Decimal(1)}))


def test_a_resumed_job_is_continued_by_the_command_that_started_it() -> None:
    """Also after a second resume: what it may use since then is the resumes' word."""
    asked = wishes(NOTHING | {"name": "nightly"})
    record = a_record(spec=asked.spec)
    for _ in range(2):
        ended = replace(record, state=JobState.FAILED, ended_at=START)
        record = resumed(
            ended, Allowance(max_duration=timedelta(hours=1), budget=Decimal(9), max_restarts=1), Decimal(0)
        )

    assert same_job(record, asked) is record
    with pytest.raises(ConfigError, match="--instance"):
        same_job(record, wishes(NOTHING | {"name": "nightly", "instances": ("g5.xlarge",)}))


def test_flags_beat_the_job_file_and_the_job_file_beats_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flag > job file > environment > project file > default."""
    monkeypatch.setenv("ACCELCTL_MAX_WAIT", "10m")
    monkeypatch.setenv("ACCELCTL_BUDGET", "5")
    (tmp_path / "accelctl.toml").write_text('disk = 200\nmax_wait = "20m"\n')
    file = tmp_path / "job.toml"
    file.write_text('max_duration = "2h"\nmax_wait = "30m"\nenv = { LR = "0.1" }\n')

    spec = wishes(NOTHING | {"job_file": file, "max_duration": timedelta(hours=1)}).spec

    assert (spec.max_duration, spec.max_wait) == (timedelta(hours=1), timedelta(minutes=30))
    assert (spec.budget, spec.disk_gib, spec.environment) == (Decimal(5), 200, {"LR": "0.1"})


@pytest.mark.parametrize(
    "content",
    [
        "max_wiat = '1h'",
        "not toml",
        "setup = ['a', 'b']",
        "name = true",
        "instance = [['p4d.24xlarge']]",
        "env = { A = ['b'] }",
        'command = "python \'a"',
        "command = 3",
        "region = { us = 1 }",
    ],
)
def test_a_job_file_that_cannot_be_understood_is_refused(tmp_path: Path, content: str) -> None:
    """Unknown keys, values of another kind and broken files are named, never ignored."""
    file = tmp_path / "job.toml"
    file.write_text(content)

    with pytest.raises(ConfigError, match="--job-file"):
        wishes(NOTHING | {"job_file": file})


@pytest.mark.parametrize("value", ["soon", "-5m", "5 parsecs"])
def test_a_setting_that_cannot_be_understood_names_its_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The message says which variable holds it."""
    monkeypatch.setenv("ACCELCTL_MAX_WAIT", value)

    with pytest.raises(ConfigError, match="ACCELCTL_MAX_WAIT"):
        wishes(NOTHING)


def test_the_disk_is_what_the_images_want() -> None:
    """100 GiB, for Neuron 512 as its setup guide asks; of several types the largest."""
    assert wishes(NOTHING).spec.disk_gib == 100
    assert wishes(NOTHING | {"instances": ("g5.xlarge", "trn1.32xlarge")}).spec.disk_gib == 512
    assert wishes(NOTHING | {"instances": ("x9.unheard",)}).spec.disk_gib == 100


@pytest.mark.parametrize(("kind", "least"), [("p4d.24xlarge", 75), ("c6i.large", 8)])
def test_a_disk_that_the_image_does_not_fit_on_is_refused(kind: str, least: int) -> None:
    """Before any call, and with the size that would do."""
    assert wishes(NOTHING | {"instances": (kind,), "disk": least}).spec.disk_gib == least
    if least > 8:
        with pytest.raises(ConfigError, match="--disk: 8 GiB is less than the 75"):
            wishes(NOTHING | {"instances": (kind,), "disk": 8})
