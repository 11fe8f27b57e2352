"""Setup: twice, killed anywhere, two at once, and with every way."""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from provisioner.catalog import labels
from provisioner.clock import SystemClock
from provisioner.clouds.aws import Aws
from provisioner.clouds.aws.kinds import KINDS
from provisioner.clouds.aws.network import Networks, way_of
from provisioner.clouds.aws.preparation import Preparation
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.aws.store import BucketStore
from provisioner.domain.offerings import WayKind
from provisioner.errors import ConfigError
from tests.aws.wire import answer, on_the_wire
from tests.sandbox.world import aws

pytestmark = pytest.mark.usefixtures("sandbox")
HOME, KILLED, RACED, LEFT, ELSEWHERE = "us-east-1", "eu-west-1", "eu-central-1", "eu-north-1", "us-west-2"
ONCE = ("vpc", "route-table", "security-group", "vpc-endpoint", "egress-only-gateway")


def cloud(region: str = HOME) -> Aws:
    return Aws(clock=SystemClock(), region=region)


def things(region: str) -> dict[str, list[str]]:
    """Ids of everything of ours in the region, by kind, as EC2 lists them."""
    ec2, ours = aws("ec2", region), [{"Name": f"tag:{labels.MANAGED}", "Values": [labels.MANAGED_VALUE]}]
    return {
        kind.name: [
            row[kind.id]
            for row in getattr(ec2, kind.describe)(Filters=ours)[kind.items]
            if row.get("State") != "deleted"
        ]
        for kind in KINDS
        if not kind.job
    }


def complete(region: str) -> bool:
    """One of each kind, and a subnet for every zone."""
    found = things(region)
    zones = aws("ec2", region).describe_availability_zones()["AvailabilityZones"]
    return all(len(found[kind]) == 1 for kind in ONCE) and len(found["subnet"]) == len(zones)


class Killed(BaseException):
    """The process is gone: nothing of ours catches it."""


def dies_at_once(sessions: Sessions, region: str) -> Sessions:
    """Whose process dies as soon as it has made one thing of EC2: the thing is there, nobody took note."""

    def die(model: Any, http_response: Any, **_: object) -> None:
        changes = model.name.startswith(("Create", "Attach", "Associate", "Allocate")) and model.name != "CreateRoute"
        if changes and http_response.status_code < 300:
            raise Killed

    sessions.ec2(region).meta.events.register("after-call.ec2.*", die)
    return sessions


def test_twice_is_once() -> None:
    """The second setup finds every single thing that the first one made."""
    cloud().prepare(HOME)
    first = cloud().prepare(HOME)
    before = things(HOME)
    again = cloud().prepare(HOME)

    assert [(thing.kind, thing.id) for thing in again] == [(thing.kind, thing.id) for thing in first]
    assert not any(thing.made for thing in again)
    assert things(HOME) == before
    assert complete(HOME)


def test_killed_after_each_step_and_repeated_there_are_no_duplicates() -> None:
    """Every run dies right after its first creation; when one gets through, there is one of each."""
    runs, sessions = 0, dies_at_once(Sessions(HOME), KILLED)
    while runs < 30:
        try:
            Networks(sessions, SystemClock()).prepare(KILLED, None)
            break
        except Killed:
            runs += 1

    assert 6 < runs < 30
    assert complete(KILLED)


@pytest.mark.full
def test_what_a_killed_setup_left_is_still_looked_for() -> None:
    """The region is marked before its first thing is made, and is no candidate before it is ready."""
    dying = cloud()
    dies_at_once(dying._sessions, LEFT)  # pyright: ignore[reportPrivateUsage] - the wire is the seam
    with pytest.raises(Killed):
        dying.prepare(LEFT)

    assert LEFT not in cloud().prepared_regions()
    assert [left.kind for left in cloud().leftovers() if left.region == LEFT] == ["vpc"]


def test_two_at_once_agree_on_one_network() -> None:
    """Racing setups may make two networks; both are whole and labelled, and everybody uses the same one afterwards."""
    with ThreadPoolExecutor(2) as pool:
        racers = [pool.submit(cloud().prepare, RACED) for _ in range(2)]
        assert all(racer.result() for racer in racers)
    again = {thing.kind: thing for thing in cloud().prepare(RACED)}
    used = Networks(Sessions(HOME), SystemClock()).find(RACED)
    own = [vpc["VpcId"] for vpc in aws("ec2", RACED).describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]

    assert not [thing for thing in again.values() if thing.made]
    assert used is not None
    assert used.vpc == again["vpc"].id == min(own)
    assert sorted(things(RACED)["vpc"]) == sorted(own)
    assert used.security_group == again["security-group"].id


def test_the_way_is_the_one_that_was_set_up_last() -> None:
    """NAT, then a public address, then IPv6: prices and reach follow; a setup that names none keeps it."""
    clouds = cloud()
    clouds.prepare(HOME)
    networks = Networks(Sessions(HOME), SystemClock())
    ways: list[tuple[WayKind, Decimal]] = []
    for way in ("nat", "", "public", "ipv6"):
        clouds.prepare(ELSEWHERE, way=way)
        networks.forget(ELSEWHERE)
        found = networks.way(ELSEWHERE, HOME)
        assert found is not None
        assert found.reaches_internet
        ways.append((found.kind, found.price_per_hour))

    assert ways == [
        (WayKind.NAT, Decimal("0.045")), (WayKind.NAT, Decimal("0.045")),
        (WayKind.PUBLIC, Decimal("0.005")), (WayKind.IPV6, Decimal(0)),
    ]  # fmt: skip


def test_at_home_nothing_is_paid_by_the_gigabyte() -> None:
    """The gateway endpoint carries the store's traffic in its own region; between regions a transfer is paid."""
    cloud().prepare(HOME)
    cloud().prepare(ELSEWHERE)
    networks = Networks(Sessions(HOME), SystemClock())

    here, there = networks.way(HOME, HOME), networks.way(ELSEWHERE, HOME)
    assert here is not None
    assert there is not None
    assert (here.price_per_gib, there.price_per_gib) == (Decimal(0), Decimal("0.02"))


def test_a_gateway_alone_does_not_lead_to_another_regions_store() -> None:
    """Exit 2 instead of machines that never reach their store."""
    cloud().prepare(HOME)

    with pytest.raises(ConfigError, match="--way"):
        cloud().prepare("ap-south-1", way="gateway")


def test_a_gateway_that_was_chosen_stays_the_only_way() -> None:
    """A later setup without --way opens no way to the internet."""
    cloud().prepare(HOME, way="gateway")
    cloud().prepare(HOME)
    network = Networks(Sessions(HOME), SystemClock()).find(HOME)

    assert network is not None
    assert network.way is WayKind.GATEWAY


def test_machines_cannot_be_reached() -> None:
    """No rule lets anything in, and no subnet hands out public addresses."""
    cloud().prepare(HOME)
    found, ec2 = things(HOME), aws("ec2", HOME)

    groups = ec2.describe_security_groups(GroupIds=found["security-group"])["SecurityGroups"]
    subnets = ec2.describe_subnets(SubnetIds=found["subnet"])["Subnets"]
    assert [group["IpPermissions"] for group in groups] == [[]]
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)


def test_the_bucket_is_closed() -> None:
    """No public access, encrypted, no object owners, TLS only, unfinished uploads aborted after a week."""
    cloud().prepare(HOME)
    s3, bucket = aws("s3"), {"Bucket": "accelctl-123456789012"}

    assert set(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    rules = s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    statement = json.loads(s3.get_bucket_policy(**bucket)["Policy"])["Statement"][0]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    lifecycle = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"][0]
    assert lifecycle["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_a_bucket_that_the_user_brought_is_not_changed_and_not_removed() -> None:
    """It is used as it is: no policy of ours is put on it, and no teardown takes it."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="somebodys-own")
    own = Aws(clock=SystemClock(), region=HOME, store="somebodys-own")

    own.prepare(HOME)

    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="somebodys-own")
    assert own.job_store() is not None
    assert "bucket" not in {left.kind for left in own.leftovers(data=True)}
    own._store.remove()  # pyright: ignore[reportPrivateUsage] - even when asked
    assert s3.head_bucket(Bucket="somebodys-own")


def test_setup_again_leaves_what_the_user_set_on_the_bucket() -> None:
    """Tags, lifecycle rules, statements of the policy and the key of encryption: ours are put among theirs."""
    s3, bucket = aws("s3"), {"Bucket": "accelctl-merged"}
    own = BucketStore(Sessions(HOME), bucket["Bucket"])
    own.make(HOME)
    ours = s3.get_bucket_tagging(**bucket)["TagSet"]
    s3.put_bucket_tagging(**bucket, Tagging={"TagSet": [*ours, {"Key": "team", "Value": "vision"}]})
    colder = {"ID": "colder", "Status": "Enabled", "Filter": {"Prefix": "jobs/"},
              "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}  # fmt: skip
    s3.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": [colder]})
    denied = {"Sid": "NotThem", "Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
              "Action": "s3:*", "Resource": "arn:aws:s3:::accelctl-merged/*"}  # fmt: skip
    s3.put_bucket_policy(**bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": denied}))
    key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/theirs"}
    s3.put_bucket_encryption(
        **bucket, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": key}]}
    )

    for _ in range(2):
        own.make(HOME)

    assert {"Key": "team", "Value": "vision"} in s3.get_bucket_tagging(**bucket)["TagSet"]
    rules = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert sorted(rule["ID"] for rule in rules) == ["colder", "heartbeats", "unfinished"]
    statements = json.loads(s3.get_bucket_policy(**bucket)["Policy"])["Statement"]
    assert sorted(statement["Sid"] for statement in statements) == ["NotThem", "OnlyOverTls"]
    rule = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == key


def test_a_foreign_bucket_names_the_setting() -> None:
    """Somebody else has the name: exit 2, and the setting that chooses another."""
    found = cloud()
    on_the_wire(found._sessions.s3(), lambda: answer(403, ""))  # pyright: ignore[reportPrivateUsage] - the wire

    with pytest.raises(ConfigError, match="store"):
        found.job_store()


def test_an_address_is_allocated_once_though_no_answer_came() -> None:
    """The call has no client token, and an address costs by the hour: what was made is found by its label."""
    region, sessions = "ap-southeast-2", Sessions(HOME)
    answered, once = sessions.ec2(region), sessions.ec2(region, once=True)

    def lose(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="https://ec2.invalid")

    once.meta.events.register("after-call.ec2.AllocateAddress", lose)
    made = Preparation(answered, region, WayKind.NAT, once=once, zones=(), clock=SystemClock())

    found = list(made._one("elastic-ip", "nat-address", made._make_address))  # pyright: ignore[reportPrivateUsage]
    assert [(thing.kind, thing.made) for thing in found] == [("address", False)]
    assert things(region)["address"] == [found[0].id]
    aws("ec2", region).release_address(AllocationId=found[0].id)


def test_a_route_whose_gateway_is_gone_leads_nowhere() -> None:
    """A stack's route table outlives the NAT gateway that setup added to its network, and teardown removed."""
    gone = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"}
    left = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1", "State": "active"}

    assert way_of([gone, left]) is WayKind.IPV6
    assert way_of([gone | {"State": "active"}, left]) is WayKind.NAT
