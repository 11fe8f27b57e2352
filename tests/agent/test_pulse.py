"""The machine says what it does by the name of one empty object, which goes with it."""

# The agent carries no annotations.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from typing import Any

import pytest

from provisioner.agent import pulse
from provisioner.agent.utilisation import sample
from provisioner.domain.estate import Metric
from provisioner.reaper.pulses import parsed, slot
from tests.agent.machine import JOB, Machine, until

PLACE = f"heartbeats/us-east-1/{JOB}/i-0123456789abcdef0/"


def test_a_machine_has_one_pulse_while_it_works_and_none_after(machine: Machine) -> None:
    """Its name tells the phase; the older names are gone."""
    machine.python("import time, pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)")
    machine.start()

    def running() -> list[str]:
        return [key for key in machine.store.listed(PLACE) if ".run." in key]

    until(running, "the pulse of a running program")
    until(lambda: len(machine.store.listed(PLACE)) == 1, "one pulse alone")
    (machine.work / "go").touch()
    machine.gone()

    assert machine.store.listed("heartbeats/") == []


def test_the_memory_that_each_device_holds_is_in_the_name() -> None:
    """What the agent writes is what the reaper reads; a device that does not say is told as such."""
    names: list[str] = []

    class Store:
        def put(self, key: str, content: bytes) -> None:
            names.append(key.rpartition("/")[2])

    class Imds:
        def region(self) -> str:
            return "us-east-1"

    told = [sample("nvidia0 A", "nvidia", 3.0, 61.5), sample("nvidia1 A", "nvidia", 0.0)]
    pulse.Pulse(Imds(), Store(), {"job": JOB}, "i-1").beat("run", told)
    found = parsed(JOB, names[0])

    assert found
    assert (found.devices, found.memory) == ((3.0, 0.0), (61.5, None))


@pytest.mark.parametrize("value", [0.0, 0.1, 4.99, 5.0, 37.3, 100.0])
def test_a_share_is_never_told_lower_than_it_is(value: float) -> None:
    """To the next half percent: what was busy stays busy."""
    told = slot(f"{pulse.percent(value)}------")[Metric.ACCELERATOR]

    assert value <= told <= value + 0.5


@pytest.mark.parametrize("value", [0.0, 1.0, 49_999.0, 200_000.0, 3e9])
def test_a_rate_is_never_told_lower_than_it_is(value: float) -> None:
    """Within a tenth."""
    told = slot(f"----{pulse.rate(value)}--")[Metric.NETWORK]

    assert value <= told + 1e-6 <= value * 1.1 + 1


@pytest.mark.parametrize(
    ("device", "silent"),
    [
        (sample("nvidia0", "nvidia", reason="nvidia-smi says [N/A]"), True),
        (sample("neuron0", "neuron", reason=pulse.NO_RUNTIME), False),
        (sample("tpu", "tpu", reason="libtpu gives it to the program alone"), True),
        (sample("accelerator", "none", reason="none on this machine"), False),
        (sample("nvidia0", "nvidia", 0.0), False),
    ],
)
def test_silence_is_told_from_idleness(device: dict[str, Any], silent: bool) -> None:
    """A Neuron device without a runtime does nothing; a GPU cut up by MIG may do anything."""
    assert pulse.silent(device) is silent
