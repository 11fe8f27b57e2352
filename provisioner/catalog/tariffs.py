"""What is paid beside the machine: network ways, transfer, disks and the store. From network.toml."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from provisioner.catalog import data
from provisioner.domain.costs import Tariff
from provisioner.domain.offerings import NetworkWay, WayKind


@cache
def held(name: str) -> dict[str, Any]:
    return tomllib.loads(data(name).read_text(encoding="utf-8"))


def tariff(cloud: str = "aws") -> Tariff:
    """Prices of disks and of the store."""
    disk, store = held("network.toml")[cloud]["disk"], held("network.toml")[cloud]["store"]
    return Tariff(
        disk_gib_month=Decimal(disk["gib_month"]), store_gib_month=Decimal(store["gib_month"]),
        put_per_thousand=Decimal(store["put_per_thousand"]),
    )  # fmt: skip


def transfer_per_gib(source: str, target: str, *, cloud: str = "aws") -> Decimal:
    """USD for a GiB from region to region; out of one that the table lacks, as out of the dearest."""
    prices = held("network.toml")[cloud]["transfer_between_regions"]
    if source == target:
        return Decimal(0)
    out_of = Decimal(prices["out_of"].get(source) or max(prices["out_of"].values(), key=Decimal))
    return max(out_of, Decimal(prices["into"].get(target, 0)))


def way(kind: WayKind, *, reaches_internet: bool, transfer: Decimal = Decimal(0), cloud: str = "aws") -> NetworkWay:
    """A way to the store with its prices, the transfer between regions added."""
    own = held("network.toml")[cloud]["ways"][kind]
    return NetworkWay(
        kind=kind, price_per_hour=Decimal(own["per_hour"]), price_per_gib=Decimal(own["per_gib"]) + transfer,
        reaches_internet=reaches_internet,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDisk:
    """GiB: the least that an image fits on, and what a job usually gets."""

    least_gib: int
    usual_gib: int


def image_disk(kind: str, *, cloud: str = "aws") -> ImageDisk:
    """Of the images that the catalog has; of others what every machine may have."""
    image = held("images.toml").get(cloud, {}).get(kind, {})
    return ImageDisk(least_gib=image.get("least_gib", 0), usual_gib=image.get("usual_gib", 100))


def image_parameter(kind: str, architecture: str, *, cloud: str = "aws") -> str | None:
    """The public parameter that names the newest image; None where there is none."""
    return held("images.toml")[cloud].get(kind, {}).get(architecture)
