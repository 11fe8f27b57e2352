"""Labels as AWS's services write them."""

from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.catalog.labels import MANAGED, MANAGED_VALUE


def written(labels: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in sorted(labels.items())]


def read(tags: Iterable[Any] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def in_create(kind: str, labels: Mapping[str, str]) -> list[Any]:
    """TagSpecifications of an EC2 create call."""
    return [{"ResourceType": kind, "Tags": written(labels)}]


def matching(labels: Mapping[str, str]) -> list[Any]:
    """Filters that find what is ours and carries these labels too."""
    wanted = {MANAGED: MANAGED_VALUE} | dict(labels)
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]


def of_machine(labels: Mapping[str, str], *, spot: bool) -> list[Any]:
    """TagSpecifications of everything that comes with a machine."""
    kinds = ["instance", "volume", "network-interface", *(["spot-instances-request"] if spot else [])]
    return [mark for kind in kinds for mark in in_create(kind, labels)]
