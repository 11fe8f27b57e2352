"""What one invocation of the reaper's function leaves behind, by its mode and with or without a job store."""

import json
from typing import Any

import pytest

from provisioner.functions.aws import handler
from provisioner.jobs import lookouts
from provisioner.workplace import Workplace
from tests.estate.serving import serving
from tests.estate.tables import OURS, REGION, Estate, id_of

JOB = "20260101-000000-aaaaa"
WARNING = {
    "detail-type": "EC2 Spot Instance Interruption Warning", "region": REGION, "detail": {"instance-id": id_of(1)},
}  # fmt: skip


class Context:
    """As Lambda gives it."""

    aws_request_id, function_name = "0123456789", "reaper"

    def get_remaining_time_in_millis(self) -> int:
        return 600_000


def invoked(monkeypatch: pytest.MonkeyPatch, mode: str, event: dict[str, Any] | None = None) -> dict[str, Any]:
    monkeypatch.setenv("ACCELCTL_REAP", mode)
    return handler(event or {}, Context())


def figures(estate: Estate) -> set[str]:
    asked = [json.loads(content) for _, operation, content in estate.calls if operation == "PutMetricData"]
    return {row["MetricName"] for one in asked for row in one["MetricData"]}


@pytest.mark.parametrize(("mode", "looked_after"), [("report", False), ("apply", True)])
def test_only_who_steps_jobs_says_so(monkeypatch: pytest.MonkeyPatch, mode: str, looked_after: bool) -> None:
    """Who reads the word of a stepper waits for it: `report` steps nothing, so it leaves none."""
    with serving(Estate(machines=4)):
        invoked(monkeypatch, mode)
        found = lookouts.newest(Workplace().objects)

    assert (found is not None) is looked_after


def test_a_report_at_an_interruption_names_the_job_and_steps_it_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """`report` changes nothing, at a warning either."""
    labels = {id_of(1): OURS | {"accelctl:job": JOB}}
    with serving(Estate(machines=4, labels=labels, objects={f"jobs/{JOB}/record.json": b"{}"})) as estate:
        said = invoked(monkeypatch, "report", WARNING)

    assert said == {"machine": id_of(1), "job": JOB}
    assert (estate.asked["PUT object"], estate.acts) == (0, [])


@pytest.mark.parametrize("storeless", [True, False])
def test_nobody_says_how_long_a_machine_is_unknown_where_nobody_remembers(
    monkeypatch: pytest.MonkeyPatch, storeless: bool
) -> None:
    """A figure of 0 in every round would look healthy for ever."""
    with serving(Estate(machines=4, storeless=storeless)) as estate:
        invoked(monkeypatch, "report")

    assert ("OldestUnknownSeconds" in figures(estate)) is not storeless
    assert "Success" in figures(estate)


def test_its_log_writes_times_and_amounts_as_every_json_of_ours_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 3339 in UTC, and a currency beside the money."""
    with serving(Estate(machines=2)) as estate:
        invoked(monkeypatch, "report")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    machine = next(one for one in lines if one["what"] == "machine")
    assert machine["evidence"]["launched_at"] == f"{estate.launched_at:%Y-%m-%dT%H:%M:%SZ}"
    assert {one["currency"] for one in lines if one["what"] in ("machine", "summary")} == {"USD"}
