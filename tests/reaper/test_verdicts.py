"""No busy machine is ever ended, every idle one is found, and each verdict says why."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from provisioner.clouds.aws.metrics import device_of
from provisioner.domain.estate import ALL_DEVICES, AcceleratorKind, Metric, OwnerKind, Series, Tenure
from provisioner.domain.instances import Instance, InstanceState
from provisioner.domain.offerings import CapacityType
from provisioner.domain.reports import Phase
from provisioner.errors import ConfigError
from provisioner.reaper import thresholds
from provisioner.reaper.decide import Action, Decision, decide, settled
from provisioner.reaper.observed import Heartbeat, JobStanding, Mark, Observed
from provisioner.reaper.round import Round
from provisioner.reaper.sweep import Report, Swept

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DOCUMENT = tomllib.loads(Path(__file__).with_name("cases.toml").read_text())
CASES: list[dict[str, Any]] = [DOCUMENT["usual"] | case for case in DOCUMENT["case"]]
ENDS = {Action.STOP, Action.TERMINATE, Action.SCALE_OWNER}


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def series_of(case: dict[str, Any]) -> tuple[Series, ...]:
    coverage = case.get("coverage", 1.0)
    devices = [
        Series(
            metric=Metric.ACCELERATOR, device=str(index), values=(0.0, float(value), 0.0), coverage=coverage,
            silent_for=timedelta(minutes=case.get("stopped", {}).get(str(index), 0)),
        )
        for index, value in enumerate(case["devices"])
    ]  # fmt: skip
    if "together" in case:
        devices.append(Series(metric=Metric.ACCELERATOR, device=ALL_DEVICES, values=(case["together"],)))
    memory = [Series(metric=Metric.ACCELERATOR_MEMORY, values=(case["memory"],))] if "memory" in case else []
    host = [Series(metric=metric, values=(case[metric],)) for metric in (Metric.CPU, Metric.NETWORK, Metric.DISK)]
    return (*devices, *memory, *([] if case.get("no_host") else host))


def labels_of(case: dict[str, Any]) -> dict[str, str]:
    times = {key: case[name] for name, key in TIMES.items() if name in case}
    ours = {} if case.get("foreign") else {"accelctl:managed": "accelctl"}
    return ours | case.get("labels", {}) | {key: f"{ago(-hours):%Y-%m-%dT%H:%M:%SZ}" for key, hours in times.items()}


TIMES = {"keep_until": "accelctl:keep-until", "expires_at": "accelctl:expires-at"}


def observed(case: dict[str, Any]) -> Observed:
    """The machine of a case."""
    phase = Phase(case.get("phase", "run"))
    beat = (
        Heartbeat(at=ago(case["heartbeat"]), phase=phase, silent=tuple(case.get("silent", ())))
        if "heartbeat" in case
        else None
    )
    accelerators = case.get("accelerators", len(case["devices"]) or 8)
    instance = Instance(
        id="i-1", cloud="aws", region="us-east-1", zone="us-east-1a", instance_type="p4d.24xlarge",
        capacity_type=CapacityType.SPOT, state=InstanceState(case.get("state", "running")),
        launched_at=ago(case["age"]), labels=labels_of(case),
    )  # fmt: skip
    return Observed(
        instance=instance, devices=accelerators or None, accelerator=AcceleratorKind(case["accelerator"]),
        tenure=Tenure(case["tenure"]), owner=OwnerKind(case["owner"]), series=series_of(case), heartbeat=beat,
        job=JobStanding(case.get("job", "none")), session_open=case.get("session_open"),
        mark=Mark(at=ago(case["marked"]), token="t", reason="idle") if "marked" in case else None,
        price_per_hour=Decimal("6.50"), local_disks=True,
        instance_store_root=case.get("instance_store_root", False), unreadable=tuple(case.get("unreadable", ())),
    )  # fmt: skip


def decided(**changes: Any) -> Decision:
    return decide(observed(DOCUMENT["usual"] | changes), thresholds.defaults(), NOW)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_corpus(case: dict[str, Any]) -> None:
    """The verdict, the action, and a reason that a person can read."""
    decision = decide(observed(case), thresholds.defaults(), NOW)

    assert (decision.verdict, decision.action) == (case["verdict"], case["action"]), decision.reason
    assert len(decision.reason) > 10


def test_nothing_busy_unknown_or_suspect_is_ever_ended() -> None:
    """Over the whole corpus, even with a mark that is long due."""
    for case in CASES:
        decision = decide(observed(case | {"marked": case["age"]}), thresholds.defaults(), NOW)
        assert decision.verdict in ("idle", "past-end", "orphan") or decision.action not in ENDS, case["name"]


def test_a_machine_that_cannot_be_judged_is_kept_and_named_and_stops_nobody() -> None:
    """Whatever is wrong with it: here a start without a zone, which compares with nothing."""
    whole = observed(DOCUMENT["usual"] | {"marked": 2.0})
    odd = replace(whole, instance=replace(whole.instance, launched_at=ago(5).replace(tzinfo=None)))

    decision = decide(odd, thresholds.defaults(), NOW)
    done = Round(report=Report(at=NOW, machines=(Swept(machine=odd, decision=decision),), blind=()), others=())

    assert (decision.verdict, decision.action, settled(odd, thresholds.defaults(), NOW)) == ("unknown", "keep", False)
    assert "i-1: it cannot be judged, by a defect of accelctl: TypeError" in done.failed[0]


@pytest.mark.parametrize("lost", ["cpu", "network", "accelerator"])
def test_a_signal_that_stops_never_makes_a_machine_idle(lost: str) -> None:
    """Taking any one kind of series away leaves suspect or unknown."""
    whole = observed(DOCUMENT["usual"] | {"marked": 2.0})
    without = replace(whole, series=tuple(one for one in whole.series if one.metric != lost))

    assert decide(without, thresholds.defaults(), NOW).verdict in ("suspect", "unknown")


def test_a_verdict_says_what_it_saves_and_what_is_lost() -> None:
    """USD per day at the price of now; an unknown price is said, never 0."""
    decision = decided(marked=2.0)

    assert decision.saves_per_day == Decimal("156.00")
    assert decision.loses == ("what is in its memory", "what is on its local disks", "its root disk")
    assert decided(tenure="capacity-block").saves_per_day is None


def test_a_stopped_machine_is_told_to_cost_on() -> None:
    """Its hours cost nothing, its disks do."""
    assert "disks and addresses cost on" in decided(state="stopped").reason
    assert "cost on" not in decided(state="terminated").reason


def test_the_evidence_holds_every_number() -> None:
    """What `--output json` prints is what was decided on."""
    evidence = decided(devices=[0, 93]).evidence

    assert {"metric": "accelerator", "device": "1", "highest": 93.0, "coverage": 1.0} in evidence["series"]


def test_the_evidence_says_whose_it_is_and_who_would_replace_it() -> None:
    """Its label, and the group that holds it; nobody's is null."""
    anns = decided(labels={"accelctl:owner": "ann"}, owner="scaling-group").evidence

    assert (anns["owner"], anns["replaced_by"]) == ("ann", "scaling-group")
    assert (decided().evidence["owner"], decided().evidence["replaced_by"]) == (None, "nobody")


@pytest.mark.parametrize(
    ("dimensions", "device"),
    [
        ({"InstanceId": "i-1", "Job": "j", "Device": "nvidia3 NVIDIA H100"}, "3"),
        ({"InstanceId": "i-1", "index": "3", "name": "NVIDIA H100"}, "3"),
        ({"InstanceId": "i-1", "Job": "j"}, "all"),
    ],
)
def test_one_device_has_one_name_whoever_publishes_it(dimensions: dict[str, str], device: str) -> None:
    """Two names of one device would make up for another that is silent."""
    assert device_of(dimensions.items()) == device


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"nvidia": {"window": "1h"}}, "nvidia"),
        ({"nvidia": {"colour": "red"}}, "colour"),
        ({"nvidia": {"window": "soon"}}, "soon"),
    ],
)
def test_a_wrong_threshold_is_named(table: dict[str, Any], said: str) -> None:
    """An unknown key, a missing one, a value that is none."""
    usual: dict[str, dict[str, Any]] = {str(kind): vars_of(kind) for kind in AcceleratorKind}
    usual["nvidia"] = (
        table["nvidia"]
        if "window" in table["nvidia"] and len(table["nvidia"]) == 1
        else usual["nvidia"] | table["nvidia"]
    )

    with pytest.raises(ConfigError, match=said):
        thresholds.parsed(usual, "mine.toml")


def vars_of(kind: str) -> dict[str, Any]:
    return tomllib.loads(thresholds.FILE.read_text())[kind]
