"""The data of the catalog."""

import csv
import gzip
import json
import re
import tomllib
from collections import Counter
from datetime import date
from decimal import Decimal
from importlib.resources import files
from io import StringIO
from typing import Any

import pytest

from provisioner.catalog import azure, load, rows
from provisioner.catalog.tariffs import image_parameter, tariff, transfer_per_gib, way
from provisioner.domain.machines import Architecture, ImageKind, MachineType
from provisioner.domain.offerings import WayKind
from provisioner.sandbox.transfer import between_regions

MACHINES = list(load())
NAMED_FAMILIES = {
    "p6-b200", "p6-b300", "p5", "p5e", "p5en", "p4d", "p4de", "g6", "g6e", "g5", "g5g", "g4dn", "inf2", "trn1", "trn1n",
    "trn2", "trn2u", "p3", "p3dn", "c6i", "c6a", "c7g",
}  # fmt: skip
NONE: Any = {}
OVERRIDDEN = {"trn2.3xlarge", "trn2.48xlarge"}
"""EC2 says 512 GiB for each Trainium2; it is 96 GiB."""
UNNAMED = {"trn2u.48xlarge"}
"""EC2 describes the machine and leaves its accelerators out."""
UNDESCRIBED = {"p3.2xlarge", "p3.8xlarge", "p3.16xlarge"}
"""EC2 has stopped describing them."""


def described() -> dict[str, dict[str, Any]]:
    """A snapshot of DescribeInstanceTypes that moto carries."""
    packed = files("moto.ec2") / "resources" / "instance_types.json.gz"
    return json.loads(gzip.decompress(packed.read_bytes()))


DESCRIBED = described()


@pytest.mark.parametrize("name", ["machines.csv", "prices.csv", "azure-prices.csv"])
def test_every_row_has_a_source_and_a_date(name: str) -> None:
    """A figure without a source is a rumour."""
    assert all(row["source"] and date.fromisoformat(row["as_of"]) for row in rows(name))


def test_no_row_is_there_twice() -> None:
    """One place for each fact."""
    assert max(Counter(row["instance_type"] for row in rows("machines.csv")).values()) == 1
    assert max(Counter((row["instance_type"], row["region"]) for row in rows("prices.csv")).values()) == 1


def test_every_family_that_users_ask_for_is_there() -> None:
    """From P3 to Trn2, and the processors beside them, in every size that EC2 describes."""
    held = {machine.instance_type for machine in MACHINES}

    assert {machine.family for machine in MACHINES} == NAMED_FAMILIES
    assert held - UNDESCRIBED == {name for name in DESCRIBED if name.split(".")[0] in NAMED_FAMILIES}


def test_a_missing_price_has_a_reason_and_a_price_has_none() -> None:
    """An empty price is never a zero."""
    assert all(bool(machine.on_demand) != bool(machine.price_reason) for machine in MACHINES)
    assert {machine.instance_type for machine in MACHINES if machine.price_reason} == {
        "p5e.48xlarge", "trn2.3xlarge", "trn2.48xlarge", "trn2u.48xlarge",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("instance_type", "price"),
    [("p5.48xlarge", "55.04"), ("p4d.24xlarge", "21.957642"), ("g5.xlarge", "1.006"), ("inf2.xlarge", "0.7582"),
     ("trn1.32xlarge", "21.50"), ("p4de.24xlarge", "27.44705"), ("p5.4xlarge", "6.88")],
)  # fmt: skip
def test_prices_are_those_after_the_cuts_of_2025(instance_type: str, price: str) -> None:
    """P5 fell by 44 %, P4d by 33 %; figures from before are wrong."""
    machine = load().find("aws", instance_type)

    assert machine is not None
    assert machine.on_demand_in("us-east-1") == Decimal(price)


def test_prices_differ_by_a_sane_factor_between_regions() -> None:
    """No region is ten times another: that would be a shifted column."""
    for machine in MACHINES:
        prices = machine.on_demand.values()
        assert all(price > 0 for price in prices)
        assert not prices or max(prices) < 3 * min(prices)


@pytest.mark.parametrize(
    "machine", [m for m in MACHINES if m.instance_type in DESCRIBED], ids=lambda m: m.instance_type
)
def test_what_a_machine_has_is_what_ec2_says(machine: MachineType) -> None:
    """Processors, memory, accelerators, EFA and disks agree with DescribeInstanceTypes."""
    raw: Any = DESCRIBED[machine.instance_type]
    devices: list[dict[str, Any]] = (
        raw.get("GpuInfo", NONE).get("Gpus") or raw.get("NeuronInfo", NONE).get("NeuronDevices") or []
    )

    assert machine.vcpus == raw["VCpuInfo"]["DefaultVCpus"]
    assert round(float(machine.memory_gib) * 1024) == pytest.approx(raw["MemoryInfo"]["SizeInMiB"], rel=0.01)
    assert machine.efa_interfaces == raw["NetworkInfo"].get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)
    assert machine.local_disk_gb == raw.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)
    assert machine.architecture in raw["ProcessorInfo"]["SupportedArchitectures"]
    if machine.instance_type in UNNAMED:
        assert not devices, "EC2 names its accelerators now: the override can go"
        return
    assert (machine.accelerators.count if machine.accelerators else 0) == (devices[0]["Count"] if devices else 0)
    if machine.accelerators and machine.instance_type not in OVERRIDDEN:
        assert machine.accelerators.name == devices[0]["Name"]
        mib: int = devices[0]["MemoryInfo"]["SizeInMiB"]
        assert float(machine.accelerators.memory_gib) * 1024 == pytest.approx(mib, rel=0.01)


@pytest.mark.parametrize("name", ["trn2.48xlarge", "trn2u.48xlarge"])
def test_trainium2_has_96_gib_a_device(name: str) -> None:
    """1.5 TiB in a trn2.48xlarge, not the 8 TiB that EC2 reports."""
    machine = load().find("aws", name)

    assert machine is not None
    assert machine.accelerators is not None
    assert machine.accelerators.memory_gib * machine.accelerators.count == 1536


def test_p3_is_marked_as_retiring() -> None:
    """EC2 no longer describes the P3 sizes."""
    assert {machine.instance_type for machine in MACHINES} - DESCRIBED.keys() == UNDESCRIBED
    assert {machine.family for machine in MACHINES if machine.retiring} == {"p3", "p3dn"}


def test_p5_spot_has_a_quota_of_its_own() -> None:
    """P5 and P4 share the on-demand quota, not the spot one."""
    p5, p4d = load().find("aws", "p5.48xlarge"), load().find("aws", "p4d.24xlarge")

    assert p5 is not None
    assert p4d is not None
    assert (p5.quota_on_demand, p5.quota_spot) == ("L-417A185B", "L-C4BD4855")
    assert (p4d.quota_on_demand, p4d.quota_spot) == ("L-417A185B", "L-7212CCBC")


def test_every_machine_has_an_image() -> None:
    """By kind and architecture; Neuron's parameters end in image_id."""
    for machine in MACHINES:
        name = image_parameter(machine.image, machine.architecture)
        assert name is not None
        assert name.startswith("/aws/service/")
        assert name.endswith("image_id") == (machine.image is ImageKind.NEURON)
    assert image_parameter(ImageKind.NEURON, Architecture.ARM64) is None


def test_a_typo_is_answered_with_the_nearest_names() -> None:
    """p4d.42xlarge was p4d.24xlarge."""
    assert load().near("p4d.42xlarge")[0] == "p4d.24xlarge"


@pytest.mark.parametrize("written", ["P4D.24XLARGE", "p4d"])
def test_capitals_and_a_bare_family_are_understood(written: str) -> None:
    """Both are what people type first."""
    assert load().near(written)[0] == "p4d.24xlarge"


def test_what_is_like_nothing_has_no_neighbours() -> None:
    """No name is offered at random."""
    assert load().near("toaster") == []


@pytest.mark.parametrize("name", ["images.toml", "network.toml"])
def test_every_table_has_a_source_and_a_date(name: str) -> None:
    """Images and the prices beside the machine are held to the same rule as the rows."""
    held = tomllib.loads((files("provisioner.catalog") / name).read_text(encoding="utf-8"))["aws"]
    tables = [table for group in held.values() for table in (group.values() if is_group(group) else [group])]

    assert tables
    assert all(table["source"] and isinstance(table["as_of"], date) for table in tables)


def is_group(group: dict[str, Any]) -> bool:
    """[aws.ways] holds one table for each way."""
    return all(isinstance(table, dict) for table in group.values())


def test_every_way_to_the_store_has_a_price() -> None:
    """Gateway and IPv6 are free within a region; between regions the transfer is added to each."""
    for kind in WayKind:
        near = way(kind, reaches_internet=False)
        far = way(kind, reaches_internet=False, transfer=transfer_per_gib("us-west-2", "us-east-1"))
        assert far.price_per_gib - near.price_per_gib == Decimal("0.02")
    assert tariff().disk_gib_month == Decimal("0.08")


@pytest.mark.parametrize(
    ("source", "target", "usd"),
    [
        ("us-west-2", "us-west-2", "0"),
        ("us-west-2", "us-east-1", "0.02"),
        ("ap-northeast-1", "us-east-1", "0.09"),
        ("sa-east-1", "us-east-1", "0.138"),
        ("us-east-1", "ap-southeast-7", "0.08"),
        ("xx-nowhere-1", "us-east-1", "0.15"),
    ],
)
def test_a_transfer_costs_what_its_source_charges(source: str, target: str, usd: str) -> None:
    """And a region that nobody has a price of is never cheap. The sandbox's ledger, with data of its own, agrees."""
    assert transfer_per_gib(source, target) == between_regions(source, target) == Decimal(usd)


def test_every_region_that_sells_a_machine_has_a_price_of_transfer() -> None:
    """Otherwise offerings there would look dearer than they are."""
    table = tomllib.loads((files("provisioner.catalog") / "network.toml").read_text(encoding="utf-8"))
    priced = set(table["aws"]["transfer_between_regions"]["out_of"])

    assert {row["region"] for row in rows("prices.csv") if row["region"]} <= priced


def place(row: dict[str, str]) -> tuple[str, tuple[int, int], str]:
    """Where a row stands: by family, by size as people count it, by region."""
    family, size = row["instance_type"].split(".")
    multiple = re.fullmatch(r"(\d*)xlarge", size)
    rank = (2, int(multiple[1] or 1)) if multiple else (("medium", "large", "xlarge", "metal").index(size), 0)
    return family, rank, row.get("region", "")


@pytest.mark.parametrize("name", ["machines.csv", "prices.csv"])
def test_the_files_are_in_canonical_form(name: str) -> None:
    """Written back they are the same bytes, in order: a change is a readable diff."""
    held = list(rows(name))
    written = StringIO()
    table = csv.DictWriter(written, held[0], lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(held, key=place))

    assert written.getvalue() == (files("provisioner.catalog") / name).read_text(encoding="utf-8")


def test_azures_sizes_cost_what_their_region_asks_and_an_unknown_price_is_none() -> None:
    """In any spelling; without a region, where it is cheapest."""
    assert azure.price("Standard_ND96isr_H100_v5", "eastus") == Decimal("98.32")
    assert azure.price("standard_nd96isr_h100_v5", "South Africa West") == Decimal("186.608")
    assert azure.price("Standard_NC24ads_A100_v4") == Decimal("7.346"), "where it is dearest"
    assert azure.price("Standard_ND96isr_H100_v5", "brazilsoutheast") is None
    assert azure.price("Standard_ND999") is None
