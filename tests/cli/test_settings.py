"""What a setting may hold, and what is said of one that cannot be meant."""

from datetime import timedelta
from pathlib import Path

import pytest

from provisioner.errors import ConfigError
from provisioner.settings import load


def test_a_variable_that_is_set_to_nothing_is_not_set(tmp_path: Path) -> None:
    """`ACCELCTL_MAX_DURATION=` means the default, and no crash later."""
    empty = {f"ACCELCTL_{name}": "" for name in ("MAX_DURATION", "FALLBACK", "DISK", "REGION", "BUDGET")}
    found = load(environment=empty, folder=tmp_path)

    assert (found["max_duration"], found["disk"], found["fallback"]) == (timedelta(hours=24), None, "none")


@pytest.mark.parametrize(
    "line", ["max_duration = 07:00:00", "disk = 0", "fallback = true", 'max_wait = "100000000d"', "disk = [1, 2]"]
)
def test_a_value_of_another_kind_is_refused_by_name(tmp_path: Path, line: str) -> None:
    """Exit 2, with the file that says so."""
    (tmp_path / "accelctl.toml").write_text(f"{line}\n")

    with pytest.raises(ConfigError) as refused:
        load(environment={}, folder=tmp_path)

    assert line.split(maxsplit=1)[0] in refused.value.message
    assert "accelctl.toml" in refused.value.message


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"ACCELCTL_HEARTBEAT_EVERY": "0s"}, "heartbeat_every"),
        ({"ACCELCTL_LEASE": "0s"}, "lease"),
        ({"ACCELCTL_LOST_AFTER": "30s"}, "lost_after"),
    ],
)
def test_a_pace_that_no_job_could_keep_is_refused(tmp_path: Path, asked: dict[str, str], named: str) -> None:
    """A pause of nothing would be a loop, and a machine cannot be lost before it has had time to speak."""
    with pytest.raises(ConfigError, match=named):
        _ = load(environment=asked, folder=tmp_path).pace
