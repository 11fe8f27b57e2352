"""Types that the catalog lacks, from the cloud's own description of them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from provisioner.domain.machines import Accelerators, Architecture, ImageKind, MachineType
from provisioner.errors import ConfigError

UNKNOWN_PRICE = "the catalog does not have this type"
ABSENT: Mapping[str, Any] = {}
"""What EC2 leaves out of a type that has none of it."""


def from_description(described: Mapping[str, Any], as_of: date) -> MachineType:
    """From one row of EC2's DescribeInstanceTypes; its price and its quotas are unknown.

    Raises ConfigError for a type that boots no Linux image (the Macs).
    """
    name = described["InstanceType"]
    devices = accelerated(described)
    return MachineType(
        cloud="aws", instance_type=name, family=name.split(".")[0], accelerators=accelerators(devices),
        vcpus=described["VCpuInfo"]["DefaultVCpus"], memory_gib=Decimal(described["MemoryInfo"]["SizeInMiB"]) / 1024,
        architecture=architecture(name, described["ProcessorInfo"]["SupportedArchitectures"]),
        efa_interfaces=described.get("NetworkInfo", ABSENT).get("EfaInfo", ABSENT).get("MaximumEfaInterfaces", 0),
        local_disk_gb=described.get("InstanceStorageInfo", ABSENT).get("TotalSizeInGB", 0), image=image(described),
        price_reason=UNKNOWN_PRICE, source="EC2 DescribeInstanceTypes", as_of=as_of,
    )  # fmt: skip


def accelerated(described: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The kinds of GPU or Neuron device; a machine has one kind at most."""
    gpus = described.get("GpuInfo", ABSENT).get("Gpus", [])
    return gpus or described.get("NeuronInfo", ABSENT).get("NeuronDevices", [])


def accelerators(devices: Sequence[Mapping[str, Any]]) -> Accelerators | None:
    """A part of a GPU (G6f) counts as one device with the part's memory; EC2 gives such a type a Count of 0."""
    if not devices:
        return None
    first = devices[0]
    memory = Decimal(first.get("MemoryInfo", ABSENT).get("SizeInMiB", 0)) / 1024
    count = first.get("Count") or first.get("LogicalGpuCount") or 1
    return Accelerators(name=first.get("Name", "unknown"), count=count, memory_gib=memory)


def architecture(name: str, supported: Sequence[str]) -> Architecture:
    """Of all that a type runs (T2 runs i386 too), the one that images are made for."""
    for held in Architecture:
        if held in supported:
            return held
    raise ConfigError(f"'{name}' runs no Linux image.", hint="choose a type with x86_64 or arm64.")


def image(described: Mapping[str, Any]) -> ImageKind:
    """By maker: GPUs of others than NVIDIA get no driver, their programs bring it."""
    gpus = described.get("GpuInfo", ABSENT).get("Gpus", [])
    if any(gpu.get("Manufacturer", "NVIDIA") == "NVIDIA" for gpu in gpus):
        return ImageKind.NVIDIA
    return ImageKind.NEURON if "NeuronInfo" in described else ImageKind.CPU
