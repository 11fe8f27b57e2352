"""Machine types that are cheap everywhere are passed over; whatever else has no price may be dear."""

from decimal import Decimal
from typing import Any

import pytest

from provisioner.catalog.small import at_most
from provisioner.catalog.tariffs import held
from provisioner.rules import configuration

ROWS = [(cloud, row) for cloud, rows in held("small.toml").items() for row in rows]


@pytest.mark.parametrize(("cloud", "row"), ROWS, ids=[row["dearest"]["type"] for _, row in ROWS])
def test_the_dearest_of_each_row_is_cheap(cloud: str, row: dict[str, Any]) -> None:
    """Cheaper than what a rule calls expensive, and one of its row."""
    dearest = row["dearest"]

    assert Decimal(dearest["usd_per_hour"]) < configuration.load("production").expensive_from
    assert at_most(cloud, dearest["type"]) == Decimal(dearest["usd_per_hour"])
    assert row["source"]
    assert row["as_of"]


@pytest.mark.parametrize(
    ("cloud", "name"),
    [("gcp", name) for name in ("e2-micro", "n1-standard-1", "c3-highmem-8", "t2a-standard-4", "e2-standard-16")]
    + [("aws", name) for name in ("t1.micro", "t3.nano", "m7i.large", "i3.large")]
    + [("azure", name) for name in ("Standard_B2s", "Standard_D2s_v5", "STANDARD_DS3_V2", "Standard_E4bds_v5")],
)
def test_a_machine_of_every_day_is_small(cloud: str, name: str) -> None:
    """In whatever letters it is written."""
    assert at_most(cloud, name) is not None


@pytest.mark.parametrize(
    ("cloud", "name"),
    [("gcp", name) for name in (
        "m1-ultramem-40", "n2-standard-128", "c3-standard-192-metal", "n2-standard-80", "c4-highmem-8-lssd",
        "a2-highgpu-1g", "g2-standard-4", "ct5lp-hightpu-8t", "n2-custom-8-262144-ext", "q9-standard-4",
        "h3-standard-88", "z3-highmem-8-highlssd",
    )]
    + [("aws", name) for name in ("m7i.xlarge", "p5.48xlarge", "g4dn.xlarge", "f1.2xlarge", "u7i.large", "x1e.xlarge")]
    + [("azure", name) for name in (
        "Standard_NC4as_T4_v3", "Standard_NV6ads_A10_v5", "Standard_E8-2s_v5", "Standard_D16s_v5", "Standard_M8ms",
        "Standard_HB120rs_v3", "Standard_L8s_v3", "Standard_DS14-4_v2", "Standard_FX12mds", "Standard_B16ms",
    )],
)  # fmt: skip
def test_what_may_be_dear_is_not(cloud: str, name: str) -> None:
    """Accelerators, many cores, much memory, disks of its own, and families that nobody knows."""
    assert at_most(cloud, name) is None
