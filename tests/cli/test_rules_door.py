"""The rules before any call to a cloud: exit 3, with no credentials anywhere."""

from pathlib import Path

import pytest

from tests.cli.test_command_line import accelctl

TRAIN = ("spot-train", "--instance", "p4d.24xlarge")
PROGRAM = ("--", "python", "train.py")


@pytest.mark.parametrize(
    ("flags", "settings", "said"),
    [
        (("--max-duration", "20d"), "", "end-within-limit"),
        ((), 'environment = "production"', "required-labels"),
        ((), 'rules = "mine.toml"', "allowed-machines"),
        (("--region", "eu-west-1"), 'rules = "mine.toml"', "eu-west-1 is not allowed"),
    ],
)
def test_what_breaks_a_rule_is_refused_before_any_call(
    tmp_path: Path, flags: tuple[str, ...], settings: str, said: str
) -> None:
    """Naming the rule, the price, and how to mend it."""
    (tmp_path / "accelctl.toml").write_text(settings)
    (tmp_path / "mine.toml").write_text('machines = ["g5.*"]\nregions = ["us-east-1"]')

    done = accelctl(*TRAIN, *flags, *PROGRAM, cwd=tmp_path)

    assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    assert "hint:" in done.stderr


def test_what_keeps_the_rules_goes_on(tmp_path: Path) -> None:
    """In production with labels that say something: the next thing that is missing is credentials."""
    lines = ('environment = "production"', 'team = "vision"', 'cost_center = "42"', 'max_duration = "2d"')
    (tmp_path / "accelctl.toml").write_text("\n".join(lines))

    assert accelctl(*TRAIN, *PROGRAM, cwd=tmp_path).returncode == 2


def test_setup_of_a_region_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    (tmp_path / "accelctl.toml").write_text('rules = "mine.toml"')
    (tmp_path / "mine.toml").write_text('regions = ["us-east-1"]')

    done = accelctl("setup", "--region", "eu-west-1", cwd=tmp_path)

    assert (done.returncode, "eu-west-1 is not allowed" in done.stderr) == (3, True), done.stderr


def test_a_wrong_rules_file_is_exit_2(tmp_path: Path) -> None:
    """With the key, and the nearest one."""
    (tmp_path / "accelctl.toml").write_text('rules = "mine.toml"')
    (tmp_path / "mine.toml").write_text('region = ["us-east-1"]')

    done = accelctl(*TRAIN, *PROGRAM, cwd=tmp_path)

    assert (done.returncode, "did you mean regions?" in done.stderr) == (2, True), done.stderr


def test_stacks_are_not_left_out_of_a_teardown_in_silence(tmp_path: Path) -> None:
    """They go with everything, and a job has none."""
    done = accelctl("teardown", "a-job", "--include-stacks", cwd=tmp_path)

    assert (done.returncode, "--include-stacks goes with --everything" in done.stderr) == (2, True), done.stderr
