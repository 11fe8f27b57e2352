"""What a person or a timer types: nothing is ended unasked, and what was asked of the cloud is said."""

import json
import os
import pty
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provisioner.workplace import Workplace
from tests.e2e.jobs import accelctl
from tests.estate.serving import serving
from tests.estate.tables import REGION, Estate, id_of
from tests.jobs.builders import JOB, START, a_record
from tests.reaper.test_estates import marked, swept
from tests.sandbox.world import until


def told(*flags: str) -> dict[str, Any]:
    done = accelctl("reap", "--region", REGION, "--output", "json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_where_nobody_can_answer_it_takes_yes() -> None:
    """Exit 2, before anything is looked at; the hint says what a timer has to say."""
    with serving(Estate(machines=4, labels=marked(range(1, 2)))) as estate:
        done = accelctl("reap", "--apply")
        assert (done.returncode, estate.asked["DescribeInstances"], estate.acts) == (2, 0, [])
        assert "--yes" in done.stderr
        told("--apply", "--yes")

    assert estate.state_of(id_of(1)) == "stopped"


def answered(answer: bytes) -> str:
    """What it says to somebody at a terminal who answers so."""
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "reap", "--apply", "--region", REGION], stdin=theirs,
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    return done.stderr


def test_at_a_terminal_the_plan_is_shown_and_asked_about() -> None:
    """No is no; yes does what was shown; where nothing would change, nobody is asked and nothing is done."""
    with serving(Estate(machines=3, labels=marked(range(1, 2)))) as estate:
        refused = answered(b"n\n")
        assert (id_of(1) in refused, "nothing was changed" in refused, estate.acts) == (True, True, [])
        answered(b"y\n")
        assert estate.state_of(id_of(1)) == "stopped"
        looks = estate.asked["DescribeInstances"]
        words = answered(b"")

    assert ("nothing to do" in words, estate.asked["DescribeInstances"] - looks) == (True, 1)


def test_what_was_decided_after_the_yes_is_left_to_the_next_run() -> None:
    """While the question stood one machine's grace ran out, and a job was left alone by whoever led it."""
    due, waiting = marked(range(1, 2)), marked(range(3, 4), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    with serving(Estate(machines=40, labels=due | waiting)) as estate:
        plan = swept()
        estate.labels |= marked(range(3, 4))
        Workplace().records.create(a_record(cancel_asked_at=START))
        done = Workplace().rounds("test").run([REGION], apply=True, agreed=plan)

    told = {one.machine.instance.id: one for one in done.report.machines}
    assert (plan.report.plan[REGION, id_of(1)], (REGION, id_of(3)) in plan.report.plan) == ("stop", False)
    assert (estate.state_of(id_of(1)), estate.state_of(id_of(3))) == ("stopped", "running")
    assert (told[id_of(3)].outcome, told[id_of(3)].why) == ("later", "it was not in the plan")
    assert [(one.id, one.outcome) for one in done.others if one.kind == "job"] == [(JOB, "later")]
    assert told[id_of(5)].outcome == "done"


def test_the_requests_are_counted_and_the_scope_has_two_names() -> None:
    """As many as the cloud saw."""
    with serving(Estate(machines=4)) as estate:
        found = told("--scope", "owned", "--cloud", "aws")

    assert found["requests"]["ec2.DescribeInstances"] == estate.asked["DescribeInstances"] == 1
    assert found["requests"]["cloudwatch.GetMetricData"] == estate.asked["GetMetricData"]


def test_a_file_of_settings_may_be_named(tmp_path: Path) -> None:
    """Its thresholds hold, and what is no setting is refused."""
    mine = tmp_path / "mine.toml"
    mine.write_text('[[thresholds]]\nlabels = {"accelctl:owner" = "tester"}\ncpu_below = 0.5\n')
    with serving(Estate(machines=2)):
        assert {one["verdict"] for one in told("--config", str(mine))["machines"]} == {"busy"}
        mine.write_text("colour = 1\n")
        assert accelctl("reap", "--config", str(mine)).returncode == 2


def test_ctrl_c_says_what_was_done_and_what_was_not() -> None:
    """Exit 130; what is under way is finished first, and the rest stays as it is."""
    with serving(Estate(machines=40, labels=marked(range(1, 2))), latency=0.3) as estate:
        run = subprocess.Popen(
            [sys.executable, "-m", "provisioner", "reap", "--apply", "--yes", "--region", REGION],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert until(lambda: estate.asked["GetMetricData"] > 0, 60)
        run.send_signal(signal.SIGINT)
        _, words = run.communicate(timeout=60)

    assert (run.returncode, estate.acts) == (130, [])
    assert "interrupted: 0 machine(s) were marked or ended, 20 were left as they are." in words
