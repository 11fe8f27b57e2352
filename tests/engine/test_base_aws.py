"""base-aws under the real engine: jobs run in what it made, and what `accelctl setup` made it takes over unchanged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.catalog import labels
from tests.e2e.jobs import Job, accelctl, counting
from tests.engine.project import NO_CHANGE, PACK, Project, project
from tests.sandbox.world import aws, leased

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
BUCKET, BOUNDARY = "accelctl-123456789012", "arn:aws:iam::123456789012:policy/accelctl/accelctl-boundary"
OURS = [{"Name": f"tag:{labels.MANAGED}", "Values": [labels.MANAGED_VALUE]}]


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Up in an account in which nothing was ever set up, with nothing configured."""
    made = project(tmp_path_factory.mktemp("project"), "base-aws")
    made.up_judged()
    return made


def vpcs() -> list[dict[str, Any]]:
    return aws("ec2").describe_vpcs(Filters=OURS)["Vpcs"]


def buckets() -> list[str]:
    return [one["Name"] for one in aws("s3").list_buckets()["Buckets"]]


def mark_of_the_region() -> bool:
    return "Contents" in aws("s3").list_objects_v2(Bucket=BUCKET, Prefix="setup/aws/us-east-1.json")


def prepared() -> list[dict[str, Any]]:
    return json.loads(accelctl("setup", "--output", "json").stdout)["things"]


@pytest.mark.full
def test_jobs_run_in_what_the_stack_made_and_teardown_leaves_it(stack: Project) -> None:
    """setup finds every thing of it and says whose it is; a job buys, runs and ends; everything else goes."""
    things = prepared()
    assert {thing["stack"] for thing in things} == {"base-aws"}
    assert not any(thing["made"] for thing in things)
    assert {thing["kind"] for thing in things} >= {
        "bucket",
        "boundary",
        "vpc",
        "subnet",
        "egress-only-gateway",
    }
    done = accelctl(*counting("based", steps=20))
    assert done.returncode == 0, done.stderr
    assert "first use" not in done.stderr
    assert (Job("based").status() or {})["state"] == "succeeded"

    gone = accelctl("teardown", "--everything", "--with-data", "--yes")

    assert gone.returncode == 0, gone.stderr
    assert "belong to the Pulumi stack 'base-aws'" in gone.stderr
    assert (len(vpcs()), buckets()) == (1, [BUCKET])
    assert prepared() == things


@pytest.mark.full
def test_up_again_changes_nothing(stack: Project) -> None:
    """Nor is there anything to create in a preview, nor does a refresh find a difference."""
    stack.run("preview", NO_CHANGE, *PACK)
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)


@pytest.mark.full
def test_another_way_changes_the_routes_alone(stack: Project) -> None:
    """Without IPv6 there is no gateway; network and machines' subnets stay, and setup keeps the way."""
    before = stack.outputs()
    stack.configure(way="gateway")
    stack.up()
    tables = aws("ec2").describe_route_tables(Filters=OURS)["RouteTables"]

    assert stack.outputs() == before
    assert not [one for table in tables for one in table["Routes"] if one.get("DestinationIpv6CidrBlock") == "::/0"]
    assert "egress-only-gateway" not in {thing["kind"] for thing in prepared()}


@pytest.mark.full
def test_a_wrong_key_is_named_with_what_is_allowed(stack: Project) -> None:
    """Before anything is made."""
    stack.refuses("way", "nat", "ipv6, gateway")


@pytest.mark.full
def test_destroy_keeps_the_store_unless_told_otherwise(stack: Project) -> None:
    """Network, boundary and mark go; the bucket goes with `withData`, records and all."""
    aws("s3").put_object(Bucket=BUCKET, Key="jobs/one/record.json", Body=b"{}")
    assert mark_of_the_region()
    stack.run("destroy", "--yes", "--skip-preview")
    assert (vpcs(), buckets()) == ([], [BUCKET])
    assert aws("s3").head_object(Bucket=BUCKET, Key="jobs/one/record.json")
    assert aws("s3").get_public_access_block(Bucket=BUCKET)
    assert not mark_of_the_region()

    stack.configure(adopt="true", withData="true")
    stack.up()
    stack.run("config", "rm", "adopt")
    stack.up()
    stack.run("destroy", "--yes", "--skip-preview")

    assert (vpcs(), buckets()) == ([], [])
    assert "accelctl-boundary" not in [one["PolicyName"] for one in aws("iam").list_policies(Scope="Local")["Policies"]]


@pytest.fixture
def elsewhere(sandbox: dict[str, Any], tmp_path: Path) -> Iterator[None]:
    """Another account, empty."""
    yield from (None for _ in leased(tmp_path))


@pytest.mark.full
@pytest.mark.usefixtures("elsewhere")
def test_what_setup_made_is_in_the_way_until_it_is_adopted(tmp_path: Path) -> None:
    """Named with the key; imported with no change; labelled once the key is gone; the stack's from then on."""
    assert accelctl("setup").returncode == 0
    made, found = project(folder(tmp_path), "base-aws"), prepared()
    refused = made.run("preview", well=False)
    assert refused.returncode != 0
    assert f"the bucket {BUCKET} is there already" in refused.stdout
    assert "pulumi config set adopt true" in refused.stdout

    before = everything()
    made.configure(adopt="true")
    made.up(*PACK)
    assert everything() == before
    made.up(NO_CHANGE, *PACK)
    made.run("config", "rm", "adopt")
    made.up(*PACK)
    made.up(NO_CHANGE, *PACK)
    made.run("refresh", "--yes", "--skip-preview", NO_CHANGE)

    assert [thing | {"stack": ""} for thing in prepared()] == found
    assert {thing["stack"] for thing in prepared()} == {"base-aws"}


def folder(place: Path) -> Path:
    (place / "project").mkdir()
    return place / "project"


def everything() -> list[Any]:
    """All that setup makes, as AWS describes it, labels included."""
    ec2, s3, iam = aws("ec2"), aws("s3"), aws("iam")
    asked: list[tuple[Any, str, dict[str, Any]]] = [
        *((ec2, f"describe_{kind}", {"Filters": OURS}) for kind in (
            "vpcs", "subnets", "route_tables", "security_groups", "vpc_endpoints", "egress_only_internet_gateways")),
        *((s3, f"get_{kind}", {"Bucket": BUCKET}) for kind in (
            "bucket_tagging", "public_access_block", "bucket_encryption", "bucket_ownership_controls",
            "bucket_lifecycle_configuration", "bucket_policy")),
        (iam, "get_policy", {"PolicyArn": BOUNDARY}),
    ]  # fmt: skip
    answers = [getattr(client, call)(**which) for client, call, which in asked]
    return [{name: value for name, value in one.items() if name != "ResponseMetadata"} for one in answers]


@pytest.mark.full
@pytest.mark.usefixtures("elsewhere")
def test_an_interrupted_adoption_and_another_region_and_anothers_network(tmp_path: Path) -> None:
    """What is missing is made; a second region has a network alone; two stacks never own one network."""
    assert accelctl("setup").returncode == 0
    (table,) = aws("ec2").describe_route_tables(Filters=OURS)["RouteTables"]
    bond = table["Associations"][0]["RouteTableAssociationId"]
    aws("ec2").disassociate_route_table(AssociationId=bond)
    made = project(folder(tmp_path), "base-aws")
    made.configure(adopt="true")
    made.up(*PACK)
    made.run("config", "rm", "adopt")
    made.up()
    (table,) = aws("ec2").describe_route_tables(Filters=OURS)["RouteTables"]
    assert len(table["Associations"]) == len(made.outputs()["subnets"])

    (tmp_path / "second").mkdir()
    second = project(tmp_path / "second", "base-aws-west")
    refused = second.run("preview", well=False)
    assert "belongs to the stack 'base-aws'" in refused.stdout
    assert "parts network" in refused.stdout
    second.configure(**{"aws:region": "us-west-2", "parts": "network"})
    second.up(*PACK)
    assert second.outputs()["region"] == "us-west-2"
    assert {
        thing["stack"]
        for thing in json.loads(accelctl("setup", "--region", "us-west-2", "--output", "json").stdout)["things"]
    } == {"base-aws", "base-aws-west"}
