"""What is ours is found, page by page, and goes in order; what is not ours never does."""

import secrets
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from provisioner.catalog import labels
from provisioner.catalog.foundation import boundary_arn
from provisioner.cli.stays import by_stack
from provisioner.clock import SystemClock
from provisioner.clouds.aws import Aws
from provisioner.clouds.aws.inhabited import inhabited
from provisioner.clouds.aws.inventory import marks_table
from provisioner.clouds.aws.kinds import KINDS
from provisioner.clouds.aws.sessions import Sessions, rows
from provisioner.domain.leftovers import Leftover
from tests.aws.wire import answer, on_the_wire
from tests.sandbox.world import aws

SHEET = Path(__file__).parents[2] / "docs" / "marks.md"
REGION = "ca-central-1"


@pytest.fixture(scope="module")
def cloud(sandbox: dict[str, Any]) -> Aws:
    found = Aws(clock=SystemClock(), region="us-east-1")
    found.prepare("us-east-1")
    found.prepare(REGION)
    return found


def volume(**tags: str) -> str:
    """A disk in the region with these labels."""
    marks = [{"Key": key, "Value": value} for key, value in tags.items()]
    spec = [{"ResourceType": "volume", "Tags": marks}] if marks else []
    return aws("ec2", REGION).create_volume(AvailabilityZone=f"{REGION}a", Size=1, TagSpecifications=spec)["VolumeId"]


def found(cloud: Aws, kind: str, job: str = "") -> set[str]:
    return {left.id for left in cloud.leftovers(job=job) if (left.kind, left.region) == (kind, REGION)}


def test_the_sheet_is_the_table() -> None:
    """docs/marks.md is made from the table that teardown runs on."""
    written = SHEET.read_text(encoding="utf-8")

    assert marks_table() in written, (
        "write it again: python -c 'from provisioner.clouds.aws.inventory import marks_table; print(marks_table())'"
    )


def test_every_kind_has_a_name_and_an_order_of_its_own() -> None:
    """What uses another thing goes before it."""
    order = {kind.name: kind.order for kind in KINDS}

    assert len(order) == len(KINDS)
    assert order["nat-gateway"] < order["address"] < order["subnet"] < order["vpc"]
    assert order["instance"] < order["volume"] < order["security-group"] < order["vpc"]


def page(volume_id: str, token: str) -> AWSResponse:
    more = f"<nextToken>{token}</nextToken>" if token else ""
    listed = f"<volumeSet><item><volumeId>{volume_id}</volumeId></item></volumeSet>"
    return answer(200, f"<DescribeVolumesResponse>{listed}{more}</DescribeVolumesResponse>")


def test_every_page_is_read(cloud: Aws) -> None:
    """A listing in three pages is read to its end."""
    client = Sessions("us-east-1").ec2(REGION)
    pages = iter([page("vol-1", "a"), page("vol-2", "b"), page("vol-3", "")])
    called = on_the_wire(client, lambda: next(pages))

    found = rows(client, "describe_volumes", "Volumes")

    assert [row["VolumeId"] for row in found] == ["vol-1", "vol-2", "vol-3"]
    assert called == ["DescribeVolumes"] * 3


def test_a_jobs_own_things_go_with_it(cloud: Aws) -> None:
    """A disk that lost its machine is found by its job, removed, and gone."""
    job = f"disks-{secrets.token_hex(4)}"
    mine, other = volume(**labels.ours(job=job)), volume(**labels.ours(job="another"))

    assert found(cloud, "volume", job) == {mine}
    for left in cloud.leftovers(job=job):
        cloud.remove(left)
    assert found(cloud, "volume", job) == set()
    assert other in found(cloud, "volume")


def test_a_jobs_end_asks_for_nothing_that_no_job_makes(cloud: Aws) -> None:
    """It needs no permission for that, and no time: a placement group is a stack's, and still found with everything."""
    ec2, asked, marks = aws("ec2", REGION), list[str](), labels.ours()
    spec = [{"ResourceType": "placement-group", "Tags": [{"Key": key, "Value": marks[key]} for key in marks]}]
    ec2.create_placement_group(GroupName="near", TagSpecifications=spec)
    client = cloud._sessions.ec2(REGION)  # pyright: ignore[reportPrivateUsage] - the wire is the seam
    client.meta.events.register("before-call.ec2", lambda model, **_: asked.append(model.name))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]

    list(cloud.leftovers(job="20260105-120000-abcde"))
    for_a_job = {*asked}
    everything = found(cloud, "placement-group")
    ec2.delete_placement_group(GroupName="near")

    assert "DescribeVolumes" in for_a_job
    assert not for_a_job & {"DescribePlacementGroups", "DescribeVpcs"}
    assert everything == {"near"}


def test_what_is_not_ours_is_not_removed(cloud: Aws) -> None:
    """Somebody's disk of the same name in a list of ours: the mark is looked at again, and it stays."""
    theirs = volume(Name="theirs")
    claimed = Leftover(kind="volume", id=theirs, region=REGION, labels=labels.ours(), order=41)

    cloud.remove(claimed)

    assert theirs not in found(cloud, "volume")
    assert aws("ec2", REGION).describe_volumes(VolumeIds=[theirs])["Volumes"]


def test_what_a_stack_owns_is_the_stacks(cloud: Aws) -> None:
    """A thing with the label of a stack is removed by its stack, not by us."""
    stacked = volume(**labels.ours(), **{labels.STACK: "aws-p5"})

    assert stacked not in found(cloud, "volume")


def test_a_stack_is_named_that_has_nothing_in_ec2_in_a_region_that_no_setup_prepared(cloud: Aws) -> None:
    """Such as a reaper's dead letters: every region that the account has enabled is asked."""
    stacked = labels.ours() | {labels.STACK: "reaper-elsewhere"}
    address = aws("sqs", "eu-north-1").create_queue(QueueName="dead", tags=stacked)["QueueUrl"]

    assert by_stack(cloud.stacks())["reaper-elsewhere"].things == 1
    aws("sqs", "eu-north-1").delete_queue(QueueUrl=address)
    assert "reaper-elsewhere" not in by_stack(cloud.stacks())


def test_a_region_is_forgotten_last(cloud: Aws) -> None:
    """While anything of it is left the region stays marked, so that the next teardown looks there again."""
    cloud.prepare(REGION)
    first = [left for left in cloud.leftovers() if left.region == REGION]
    for left in sorted(first, key=lambda left: left.order):
        cloud.remove(left)
    second = [left for left in cloud.leftovers() if left.region == REGION]
    for left in second:
        cloud.remove(left)

    assert {left.kind for left in first} >= {"vpc", "subnet", "route-table", "security-group", "vpc-endpoint"}
    assert [left.kind for left in second] == ["prepared-region"]
    assert REGION not in cloud.prepared_regions()
    assert not [left for left in cloud.leftovers() if left.region == REGION]


def test_the_bucket_is_offered_only_when_nothing_else_is_left(cloud: Aws) -> None:
    """It holds the marks of the regions: removed too early, what a region kept would never be found again."""
    kinds = {left.kind for left in cloud.leftovers(data=True)}

    assert "vpc" in kinds
    assert "bucket" not in kinds


def test_what_a_base_stack_owns_is_said_and_left(cloud: Aws) -> None:
    """Network, boundary, bucket and the region's mark: setup says whose they are and leaves their labels alone."""
    stack = [{"Key": labels.STACK, "Value": "base-aws"}]
    things = cloud.prepare(REGION)
    ids = [thing.id for thing in things if thing.kind not in ("bucket", "boundary")]
    aws("ec2", REGION).create_tags(Resources=ids, Tags=stack)
    aws("iam").tag_policy(PolicyArn=boundary_arn("123456789012"), Tags=stack)
    marks = aws("s3").get_bucket_tagging(Bucket="accelctl-123456789012")["TagSet"]
    aws("s3").put_bucket_tagging(Bucket="accelctl-123456789012", Tagging={"TagSet": marks + stack})

    again = cloud.prepare(REGION)
    left = list(cloud.leftovers(data=True))

    assert {(thing.stack, thing.made) for thing in again} == {("base-aws", False)}
    assert not [one for one in left if one.region == REGION or one.kind in ("bucket", "boundary")]
    assert by_stack(cloud.stacks())["base-aws"].things == len(things)


def test_a_region_counts_as_inhabited_though_its_first_page_of_labels_is_empty() -> None:
    """EC2 may answer a filtered listing with an empty page and a token for the next one."""
    empty = "<DescribeTagsResponse><tagSet/><nextToken>more</nextToken></DescribeTagsResponse>"
    full = "<DescribeTagsResponse><tagSet><item><resourceId>i-1</resourceId></item></tagSet></DescribeTagsResponse>"
    replies, sessions = [answer(200, full), answer(200, empty)], Sessions("us-east-1")
    on_the_wire(sessions.ec2(REGION), replies.pop)

    assert inhabited(sessions, [REGION]) == [REGION]
