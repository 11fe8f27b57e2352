"""One listing tells what thousands of agents say, and that alone is enough to judge by."""

# The agent carries no annotations.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from provisioner.agent.pulse import percent, rate
from provisioner.domain.estate import Metric
from provisioner.domain.jobs import Attempt, AttemptState, Lease
from provisioner.jobs.records import encode
from provisioner.reaper.pulses import parsed
from provisioner.reaper.round import Round
from tests.estate.serving import serving
from tests.estate.tables import OURS, Estate, id_of
from tests.jobs.builders import JOB, a_record
from tests.reaper.test_estates import swept

NOW = datetime.now(UTC)
QUIET = percent(0.0) + percent(1.0) + rate(1000.0) + rate(1000.0)
LOUD = percent(91.0) + percent(1.0) + rate(1000.0) + rate(1000.0)
MACHINES = 12
DENIED = frozenset({"GetMetricData", "ListMetrics"})


def told_by(slots: str, *, sessions: str = "0", devices: str = "0000", silent: int = 0, memory: str = "") -> str:
    """By an agent that tells of sessions and of each device, and of their memory."""
    more = f"{devices}.{memory}" if memory else devices
    return f"{3 if memory else 2}.{int(NOW.timestamp()):x}.run.{silent}.{sessions}.{more}.{slots}"


def name(slots: str, *, phase: str = "run", silent: int = 0, ago: timedelta = timedelta(0)) -> str:
    return f"1.{int((NOW - ago).timestamp()):x}.{phase}.{silent}.{slots}"


def key(number: int, told: str, job: str = JOB) -> str:
    return f"heartbeats/us-east-1/{job}/{id_of(number)}/{told}"


def objects(*keys: str) -> dict[str, bytes]:
    """A job that somebody leads, and the pulses of its machines."""
    attempt = Attempt(number=1, token="t", offerings=(), state=AttemptState.LAUNCHING, intended_at=NOW)
    led = Lease(holder="terminal", until=NOW + timedelta(hours=1))
    record = replace(a_record(), attempts=(attempt,), lease=led, store="s3://accelctl-123456789012")
    return {f"jobs/{JOB}/record.json": encode(record)} | dict.fromkeys(keys, b"")


def estate(*keys: str, denied: frozenset[str] = frozenset()) -> Estate:
    labelled = {id_of(number): OURS | {"accelctl:job": JOB} for number in range(MACHINES)}
    return Estate(machines=MACHINES, objects=objects(*keys), labels=labelled, denied=denied)


def verdicts(done: Round) -> dict[str, tuple[str, str]]:
    return {one.machine.instance.id: (str(one.decision.verdict), str(one.decision.action))
            for one in done.report.machines}  # fmt: skip


def test_the_verdicts_from_heartbeats_alone_are_those_from_metrics() -> None:
    """CloudWatch refuses everything; the agents' hour of samples says the same, in one listing."""
    pulses = [key(number, name((QUIET if number % 2 else LOUD) * 12)) for number in range(MACHINES)]
    with serving(estate()):
        by_metrics = verdicts(swept())
    with serving(estate(*pulses, denied=DENIED)) as shut:
        by_pulses = swept()

    assert verdicts(by_pulses) == by_metrics
    assert {verdict for verdict, _ in by_metrics.values()} == {"busy", "idle"}
    assert (shut.asked["GetMetricData"], by_pulses.failed) == (0, [])
    assert shut.asked["GET object"] == 1


def test_without_either_everything_is_unknown_and_the_run_says_so() -> None:
    """No pulse, no metrics."""
    with serving(estate(denied=DENIED)):
        done = swept()

    assert set(verdicts(done).values()) == {("unknown", "keep")}
    assert any(f"{MACHINES} machines could not be judged" in line for line in done.failed)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (name(QUIET * 12), "idle"),
        (name(QUIET * 11 + LOUD), "busy"),
        (name(QUIET * 3), "unknown"),
        (name(QUIET * 2 + LOUD), "busy"),
        (name(QUIET * 12, ago=timedelta(minutes=40)), "unknown"),
        (name(QUIET * 12, ago=-timedelta(hours=2)), "unknown"),
        (name(LOUD * 12 + QUIET * 12), "idle"),
        (name(QUIET * 12, phase="save"), "busy"),
        (name(("--" + QUIET[2:]) * 12, silent=1), "unknown"),
        (name(QUIET * 12, silent=1), "unknown"),
        (told_by(QUIET * 12), "idle"),
        (told_by(QUIET * 12, sessions="1"), "busy"),
        (told_by(QUIET * 12, sessions="-"), "idle"),
        (told_by(QUIET * 12, devices="00--", silent=1), "unknown"),
        (told_by(QUIET * 11 + LOUD, devices="00b6"), "busy"),
        (told_by(QUIET * 12, devices="0"), "unknown"),
        (told_by(QUIET * 12, memory="00a0"), "idle"),
        (told_by(QUIET * 12, memory="--a"), "unknown"),
        (told_by(QUIET * 12).replace("2.", "3.", 1), "unknown"),
        ("3.abc.run.0.", "unknown"),
        ("1.zz.run.0.", "unknown"),
    ],
    ids=map(str, count()),  # the names hold the time of day, which is another one in each of pytest's processes
)
def test_a_pulse_is_judged_by_what_it_covers(told: str, verdict: str) -> None:
    """An hour counts; an old one, one of the future, of another version or a short one is never idle."""
    with serving(estate(key(1, told), denied=DENIED)):
        assert verdicts(swept())[id_of(1)][0] == verdict


def test_another_jobs_pulse_says_nothing_of_a_machine() -> None:
    """A job's role writes below its own name only; what it writes there of others is not believed."""
    with serving(estate(key(1, name(QUIET * 12), job="another"), denied=DENIED)):
        assert verdicts(swept())[id_of(1)][0] == "unknown"


def test_a_name_that_is_no_pulse_is_none() -> None:
    """Whatever somebody put there."""
    assert parsed(JOB, "readme.txt") is None
    assert (found := parsed(JOB, name(QUIET)))
    assert found.slots[0][Metric.CPU] == 1.0


def test_each_device_is_told_and_for_how_many_the_highest_stands() -> None:
    """In the evidence that --output json prints."""
    with serving(estate(key(1, told_by(QUIET * 12, devices="0014")), denied=DENIED)):
        (one,) = [one for one in swept().report.machines if one.machine.instance.id == id_of(1)]

    assert one.decision.evidence["heartbeat"]["devices"] == [0.0, 10.0]
    assert {row["device"] for row in one.decision.evidence["series"]} == {"highest of 2, by its agent"}
    assert one.decision.evidence["session_open"] is False


def test_memory_that_is_held_is_told_for_each_device_and_gives_its_owner_longer() -> None:
    """80 % of the second device; the grace of an hour becomes four."""
    with serving(estate(key(1, told_by(QUIET * 12, memory="--a0")), denied=DENIED)):
        (one,) = [one for one in swept().report.machines if one.machine.instance.id == id_of(1)]

    evidence = one.decision.evidence
    assert evidence["heartbeat"]["memory"] == [None, 80.0]
    assert [row["highest"] for row in evidence["series"] if row["metric"] == "accelerator-memory"] == [80.0]
    assert "holds accelerator memory" in one.decision.reason
    assert one.decision.not_before
    assert timedelta(hours=3.9) < one.decision.not_before - NOW < timedelta(hours=4.5)  # NOW was at the import


def test_a_session_that_the_cloud_carries_keeps_a_machine_without_an_agent() -> None:
    """Asked once for the whole region; where nobody is logged in, nobody is told to be."""
    with serving(Estate(machines=6, attended=frozenset({1}))) as seen:
        done = swept()

    held = {one.machine.instance.id: one for one in done.report.machines}
    assert (held[id_of(1)].decision.verdict, held[id_of(3)].decision.verdict) == ("busy", "idle")
    assert "logged in" in held[id_of(1)].decision.reason
    assert seen.asked["DescribeSessions"] == 1


def test_sessions_that_may_not_be_asked_for_leave_everything_unknown_that_no_agent_tells_of() -> None:
    """Kept, and the report says which permission is missing."""
    shut = DENIED | {"DescribeSessions"}
    with serving(estate(key(1, told_by(QUIET * 12)), key(3, name(QUIET * 12)), denied=shut)):
        done = swept()

    assert (verdicts(done)[id_of(1)][0], verdicts(done)[id_of(3)]) == ("idle", ("unknown", "keep"))
    assert any("ssm:DescribeSessions" in line for line in done.failed)
