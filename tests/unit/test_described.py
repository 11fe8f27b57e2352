"""Types that the catalog lacks."""

import gzip
import json
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from provisioner.catalog.described import from_description
from provisioner.domain.machines import Architecture, ImageKind
from provisioner.errors import ConfigError

PACKED = files("moto.ec2") / "resources" / "instance_types.json.gz"
DESCRIBED: dict[str, dict[str, Any]] = json.loads(gzip.decompress(PACKED.read_bytes()))
TODAY = date(2026, 11, 20)
MACS = {name for name in DESCRIBED if name.startswith("mac")}


def test_every_linux_type_that_ec2_describes_can_be_used() -> None:
    """Over a thousand of them; each has a processor, memory and no price."""
    machines = [from_description(row, TODAY) for name, row in DESCRIBED.items() if name not in MACS]

    assert len(machines) > 1000
    assert all(machine.vcpus > 0 and machine.memory_gib > 0 and machine.price_reason for machine in machines)
    assert all(not machine.on_demand and machine.as_of == TODAY for machine in machines)
    assert all(machine.accelerators.count > 0 for machine in machines if machine.accelerators)


@pytest.mark.parametrize("name", sorted(MACS))
def test_a_mac_is_refused_by_name(name: str) -> None:
    """It runs macOS alone."""
    with pytest.raises(ConfigError, match=name):
        from_description(DESCRIBED[name], TODAY)


def test_a_type_that_runs_32_bit_too_is_a_64_bit_one() -> None:
    """EC2 lists i386 first for T2."""
    assert DESCRIBED["t2.micro"]["ProcessorInfo"]["SupportedArchitectures"] == ["i386", "x86_64"]
    assert from_description(DESCRIBED["t2.micro"], TODAY).architecture is Architecture.X86_64


def test_a_part_of_a_gpu_is_one_device() -> None:
    """An eighth of an L4 has an eighth of its memory; EC2 counts no whole GPU."""
    machine = from_description(DESCRIBED["g6f.large"], TODAY)

    assert machine.accelerators is not None
    assert (machine.accelerators.name, machine.accelerators.count) == ("L4", 1)
    assert 2.7 < machine.accelerators.memory_gib < 2.9
    assert machine.image is ImageKind.NVIDIA


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"GpuInfo": {"Gpus": [{"Manufacturer": "NVIDIA", "Name": "T4"}]}}, ImageKind.NVIDIA),
        ({"GpuInfo": {"Gpus": [{"Manufacturer": "AMD", "Name": "Radeon Pro V520"}]}}, ImageKind.CPU),
        ({"NeuronInfo": {"NeuronDevices": [{"Name": "Trainium3"}]}}, ImageKind.NEURON),
        ({}, ImageKind.CPU),
    ],
)
def test_the_image_follows_the_maker_of_the_accelerators(told: dict[str, Any], kind: ImageKind) -> None:
    """NVIDIA's driver does nothing for an AMD card."""
    assert from_description(DESCRIBED["c6i.large"] | told, TODAY).image is kind
