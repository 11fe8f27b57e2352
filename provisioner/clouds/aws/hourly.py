"""What things of EC2 cost an hour, by the catalog. None is unknown."""

from decimal import Decimal
from typing import Any

from provisioner.catalog import load
from provisioner.catalog.tariffs import tariff
from provisioner.clouds.aws.listings import state_of

HOURS_PER_MONTH = 730


def on_demand_price(kind: str, region: str) -> Decimal | None:
    machine = load().find("aws", kind)
    return machine.on_demand_in(region) if machine else None


def of_machine(item: dict[str, Any], region: str) -> Decimal | None:
    """At most: its on-demand price, unless it is stopped."""
    return Decimal(0) if state_of(item) == "stopped" else on_demand_price(item["InstanceType"], region)


def of_volume(item: dict[str, Any], region: str) -> Decimal | None:
    del region  # one price for all, the catalog's
    return item["Size"] * tariff().disk_gib_month / HOURS_PER_MONTH
