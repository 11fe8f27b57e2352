"""A team may say what idle means on its machines, and a word that nobody knows is never passed over."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.domain.estate import AcceleratorKind
from provisioner.errors import ConfigError
from provisioner.functions.thresholds import exemptions
from provisioner.reaper.thresholds import configured, defaults
from provisioner.settings import load
from tests.e2e.jobs import accelctl
from tests.estate.serving import serving
from tests.estate.tables import OURS, Estate, id_of
from tests.reaper.test_estates import swept

NVIDIA = AcceleratorKind.NVIDIA
RESEARCH = {"accelctl:team": "research"}
FILE = """
[[thresholds]]
labels = {"accelctl:team" = "research"}
cpu_below = 0.5
grace = "6h"
"""


def test_an_exemption_holds_for_its_labels_alone() -> None:
    """Only the keys that it names; `*` is any value."""
    held = configured([{"labels": {"accelctl:team": "*"}, "window": "3h", "grace": "6h"}], "accelctl.toml")

    assert held.of(RESEARCH).quiet[NVIDIA].window == timedelta(hours=3)
    assert held.of(RESEARCH).grace_of("production") == timedelta(hours=6)
    assert held.of(RESEARCH).quiet[NVIDIA].cpu_below == defaults().quiet[NVIDIA].cpu_below
    assert held.of({"accelctl:owner": "research"}).quiet == defaults().quiet


def test_a_later_one_has_the_last_word_and_one_kind_may_be_meant() -> None:
    """Of the accelerators that are named; the others are as before."""
    first = {"labels": RESEARCH, "minimum_age": "2h", "cpu_below": 30}
    held = configured([first, {"labels": RESEARCH, "cpu_below": 50.0, "accelerator": "neuron"}], "x").of(RESEARCH)

    assert held.limits.minimum_age == timedelta(hours=2)
    assert (held.quiet[NVIDIA].cpu_below, held.quiet[AcceleratorKind.NEURON].cpu_below) == (30.0, 50.0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"labels": RESEARCH, "windw": "3h"}, "'windw' is not known"),
        ({"labels": RESEARCH, "window": "soon"}, "soon"),
        ({"labels": RESEARCH, "accelerator": "gpu"}, "gpu"),
        ({"labels": RESEARCH, "cpu_below": "much"}, "much"),
        ({"labels": RESEARCH, "needs": "gpu"}, "needs 'gpu' is not one of accelerator, heartbeat, host"),
        ({"labels": RESEARCH, "window": "1m"}, "window '1m' is shorter than the 5m"),
        ({"labels": RESEARCH, "window": "400d"}, "window '400d' is longer than the 7d that one round can read"),
        ({"labels": RESEARCH, "grace": "0s"}, "grace '0s' is shorter than the 5m between two rounds"),
        ({"labels": RESEARCH, "window": 3600}, "window '3600' is no duration"),
        ({"labels": RESEARCH, "grace": 1}, "grace '1' is no duration"),
        ({"labels": RESEARCH, "cpu_below": True}, "cpu_below 'True' is no number"),
        ({"labels": RESEARCH, "cpu_below": 101}, "cpu_below '101' is not between 0 and 100"),
        ({"labels": RESEARCH, "memory_held": float("nan")}, "memory_held 'nan' is not between"),
        ({"labels": RESEARCH, "network_below": -1}, "network_below '-1' is not between"),
        ({"labels": RESEARCH, "coverage": 80}, "coverage '80' is not between 0 and 1"),
        ({"window": "3h"}, "without labels"),
    ],
)
def test_what_cannot_be_understood_is_named(table: dict[str, Any], said: str) -> None:
    """With where it was said."""
    with pytest.raises(ConfigError, match=said) as problem:
        configured([table], "accelctl.toml")
    assert "accelctl.toml" in problem.value.message


@pytest.mark.parametrize("text", ["nonsense", "{}", '[{"labels": {"a": "b"}, "needs": "gpu"}]'])
def test_a_stack_refuses_them_before_anything_is_made(text: str) -> None:
    """The key's check says what is wrong with it; what is right is passed on as it was written."""
    right = '[{"labels": {"a": "b"}, "accelerator": "nvidia"}]'
    assert (exemptions(right), exemptions("")) == (right, "")
    with pytest.raises(ValueError, match=r"."):
        exemptions(text)


def test_an_unknown_accelerator_is_answered_with_the_known_ones() -> None:
    """As a hint, in the words of the documents."""
    with pytest.raises(ConfigError) as problem:
        configured([{"labels": RESEARCH, "accelerator": "gpu"}], "accelctl.toml")
    assert "nvidia, neuron, tpu, none" in (problem.value.hint or "")


def test_the_file_and_the_variable_say_it_alike(tmp_path: Path) -> None:
    """Tables in accelctl.toml, JSON in ACCELCTL_THRESHOLDS: the function has no file."""
    (tmp_path / "accelctl.toml").write_text(FILE)
    text = '[{"labels": {"accelctl:team": "research"}, "cpu_below": 0.5, "grace": "6h"}]'

    by_file = load(environment={}, folder=tmp_path)["thresholds"]
    by_variable = load(environment={"ACCELCTL_THRESHOLDS": text}, folder=tmp_path.parent)["thresholds"]

    assert configured(by_file, "here") == configured(by_variable, "here")
    with pytest.raises(ConfigError, match="thresholds"):
        load(environment={"ACCELCTL_THRESHOLDS": "none"}, folder=tmp_path.parent)


def test_reap_judges_each_machine_by_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor at 1 % is busy to those who say so."""
    text = '[{"labels": {"accelctl:team": "research"}, "cpu_below": 0.5}]'
    with serving(Estate(machines=4, labels={id_of(1): OURS | RESEARCH})):
        monkeypatch.setenv("ACCELCTL_THRESHOLDS", text)
        verdicts = {one.machine.instance.id: str(one.decision.verdict) for one in swept().report.machines}

    assert (verdicts[id_of(1)], verdicts[id_of(3)]) == ("busy", "idle")


def test_reap_refuses_an_unknown_word_as_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, before anything is looked at."""
    with serving(Estate(machines=1)) as estate:
        monkeypatch.setenv("ACCELCTL_THRESHOLDS", '[{"labels": {"a": "b"}, "windw": "3h"}]')
        done = accelctl("reap")

    assert (done.returncode, "windw" in done.stderr) == (2, True)
    assert estate.asked["DescribeInstances"] == 0
