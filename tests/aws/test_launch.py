"""Launching on AWS: what is asked for, what is refused, what is tried again."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from provisioner.catalog import labels
from provisioner.clock import ManualClock, SystemClock
from provisioner.clouds.aws import Aws
from provisioner.clouds.aws.fleet import Rejected
from provisioner.clouds.aws.launch import said_by_fleet
from provisioner.clouds.aws.network import Networks
from provisioner.clouds.aws.offerings import Offerings
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import IdentityRequest
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import CapacityType, Offering, Requirements
from provisioner.errors import CloudError, ConfigError, InsufficientCapacity, PermissionDenied, QuotaExceeded
from provisioner.sandbox.client import ask
from tests.aws.wire import ec2_error, on_the_wire, once_on_the_wire
from tests.sandbox.world import aws, until

pytestmark = pytest.mark.usefixtures("sandbox")
TYPE, OTHER, NEURON, REGION = "g5.12xlarge", "g6.12xlarge", "trn1.32xlarge", "us-east-1"
SPOT_QUOTA = "L-3819A6DF"


@pytest.fixture(scope="module")
def cloud(sandbox: dict[str, Any]) -> Aws:
    found = Aws(clock=SystemClock(), region=REGION)
    found.prepare(REGION)
    return found


@pytest.fixture
def request_(cloud: Aws) -> Iterator[LaunchRequest]:
    """For the cheapest place of TYPE, by a job and with an identity of its own, made this very moment."""
    job = f"launch-{secrets.token_hex(4)}"
    marks = labels.ours(job=job, owner="tester")
    cloud.make_identity(IdentityRequest(name=f"accelctl-{job}", job=job, labels=marks, store="s3://s", read=()))
    yield LaunchRequest(
        token=f"{job}-1-1", offerings=sold(cloud, TYPE)[:1], labels=marks, disk_gib=40, identity=f"accelctl-{job}",
        user_data="#!/bin/sh\nexec sleep 300\n",
    )  # fmt: skip
    for left in sorted(cloud.leftovers(job=job), key=lambda left: left.order):
        cloud.remove(left)


def sold(cloud: Aws, *types: str, capacity: CapacityType = CapacityType.SPOT) -> tuple[Offering, ...]:
    found = cloud.offerings(Requirements(instance_types=types, regions=(REGION,), capacity_types=(capacity,)))
    return tuple(sorted(found, key=lambda offering: (offering.price_per_hour or Decimal(0), offering.zone)))


def asked(cloud: Aws, request: LaunchRequest) -> dict[str, Any]:
    """Launches, and gives what RunInstances was asked."""
    seen: list[dict[str, Any]] = []
    client = cloud._sessions.ec2(REGION, once=True)  # pyright: ignore[reportPrivateUsage] - the wire is the seam
    client.meta.events.register("provide-client-params.ec2.RunInstances", lambda params, **_: seen.append(params))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    cloud.launch(request)
    return seen[-1]


def test_a_machine_is_closed_and_leaves_nothing(cloud: Aws, request_: LaunchRequest) -> None:
    """IMDSv2 only, one hop, encrypted disk that goes with it, no public address, terminates when it shuts down."""
    call = asked(cloud, request_)
    disk, interface = call["BlockDeviceMappings"][0]["Ebs"], call["NetworkInterfaces"][0]

    assert call["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "enabled",
    }
    assert disk == {"VolumeSize": 40, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    assert (interface["AssociatePublicIpAddress"], interface["DeleteOnTermination"]) == (False, True)
    assert interface["Ipv6AddressCount"] == 1
    assert call["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert (call["MinCount"], call["MaxCount"], call["ClientToken"]) == (1, 1, request_.token)
    assert call["ImageId"].startswith("resolve:ssm:/aws/service/")
    marked = {mark["ResourceType"] for mark in call["TagSpecifications"]}
    assert marked == {"instance", "volume", "network-interface", "spot-instances-request"}


def test_no_maximum_price_unless_the_user_sets_one(cloud: Aws, request_: LaunchRequest) -> None:
    """AWS advises none: one near the price only invites interruptions."""
    plain = asked(cloud, request_)["InstanceMarketOptions"]["SpotOptions"]
    limited = asked(cloud, replace(request_, token=f"{request_.token}-b", max_price=Decimal("99.5")))

    assert plain == {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    assert limited["InstanceMarketOptions"]["SpotOptions"]["MaxPrice"] == "99.5"


def test_on_demand_is_no_spot_request(cloud: Aws, request_: LaunchRequest) -> None:
    """A plain machine: no market options, no labels for a request that does not exist."""
    call = asked(cloud, replace(request_, offerings=sold(cloud, TYPE, capacity=CapacityType.ON_DEMAND)[:1]))

    assert "InstanceMarketOptions" not in call
    assert "spot-instances-request" not in {mark["ResourceType"] for mark in call["TagSpecifications"]}


def test_busy_is_tried_again_with_the_same_token(cloud: Aws, request_: LaunchRequest) -> None:
    """AWS asks to slow down, once: the same call buys one machine."""
    ask("fault", operation="RunInstances", code="RequestLimitExceeded")

    bought = cloud.launch(request_)

    listed = until(lambda: list(cloud.list_owned({labels.JOB: request_.labels[labels.JOB]}, regions=[REGION])))
    assert [instance.id for instance in bought] == [instance.id for instance in listed]


def test_disk_and_spot_request_carry_the_job_too(cloud: Aws, request_: LaunchRequest) -> None:
    """Bought one by one or by a fleet: what comes with a machine is found by the job's label."""
    several = replace(request_, token=f"{request_.token}-f", offerings=sold(cloud, TYPE, OTHER))
    for request in (request_, several):
        machine = cloud.launch(request)[0]
        ec2, mine = aws("ec2"), [{"Name": f"tag:{labels.JOB}", "Values": [request.labels[labels.JOB]]}]
        raw = ec2.describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"][0]
        disks = {disk["VolumeId"] for disk in ec2.describe_volumes(Filters=mine)["Volumes"]}
        requests = {r["InstanceId"] for r in ec2.describe_spot_instance_requests(Filters=mine)["SpotInstanceRequests"]}

        assert {mapping["Ebs"]["VolumeId"] for mapping in raw["BlockDeviceMappings"]} <= disks
        assert machine.id in requests


def test_a_fleet_buys_one_of_several_types_with_the_image_of_each(cloud: Aws, request_: LaunchRequest) -> None:
    """NVIDIA and Neuron in one request: a template for each image, one machine, bought once."""
    several = replace(request_, offerings=(*sold(cloud, TYPE)[:2], *sold(cloud, NEURON)[:1]))

    first, again = cloud.launch(several), cloud.launch(several)

    assert len(first) == 1
    assert [instance.id for instance in first] == [instance.id for instance in again]
    kinds = [left.kind for left in cloud.leftovers(job=request_.labels[labels.JOB])]
    assert (kinds.count("launch-template"), kinds.count("fleet"), kinds.count("instance")) == (2, 1, 1)


def test_a_fleet_that_finds_nothing_leaves_no_fleet(cloud: Aws, request_: LaunchRequest) -> None:
    """Every place is named in the refusal; the fleet is deleted at once, its templates with the job."""
    places = sold(cloud, TYPE)[:2]
    for place in places:
        ask("capacity", type=TYPE, zone=place.zone, count="0")
    try:
        with pytest.raises(InsufficientCapacity) as refusal:
            cloud.launch(replace(request_, offerings=places))
    finally:
        for place in places:
            ask("capacity", type=TYPE, zone=place.zone, count="1000")

    assert {row.zone for row in refusal.value.refused} == {place.zone for place in places}
    assert "fleet" not in {left.kind for left in cloud.leftovers(job=request_.labels[labels.JOB])}


def test_a_fleet_keeps_to_the_maximum_price(cloud: Aws, request_: LaunchRequest) -> None:
    """It goes with every override: where each costs more, each refuses."""
    offerings = (*request_.offerings, sold(cloud, OTHER)[0])

    with pytest.raises(InsufficientCapacity) as refusal:
        cloud.launch(replace(request_, offerings=offerings, max_price=Decimal("0.01")))
    assert {row.code for row in refusal.value.refused} == {"SpotMaxPriceTooLow"}


def test_a_quota_names_its_code_and_the_need(cloud: Aws, request_: LaunchRequest) -> None:
    """What to ask AWS for is in the hint; what the machine needs is in the message."""
    ask("quota", region=REGION, code=SPOT_QUOTA, limit="8")
    try:
        with pytest.raises(QuotaExceeded, match="48 vCPUs") as refusal:
            cloud.launch(request_)
    finally:
        ask("quota", region=REGION, code=SPOT_QUOTA, limit="4096")
    assert SPOT_QUOTA in refusal.value.hint


@pytest.mark.parametrize("code", ["UnfulfillableCapacity", "InvalidFleetConfiguration"])
def test_a_fleet_that_is_refused_as_a_whole_is_refused_in_every_place(
    cloud: Aws, request_: LaunchRequest, code: str
) -> None:
    """Else nobody would remember it, and ask again at once. It does not say which place is at fault: none for good."""
    places = sold(cloud, TYPE)[:2]
    client = cloud._sessions.ec2(REGION, once=True)  # pyright: ignore[reportPrivateUsage] - the wire is the seam
    once_on_the_wire(client, "CreateFleet", ec2_error(code))

    with pytest.raises(InsufficientCapacity) as refusal:
        cloud.launch(replace(request_, offerings=places))

    assert [(row.zone, row.code, row.lasting) for row in refusal.value.refused] == [
        (place.zone, code, False) for place in places
    ]


def test_a_quota_that_refuses_a_whole_fleet_names_its_code(cloud: Aws, request_: LaunchRequest) -> None:
    """As for a single machine."""
    client = cloud._sessions.ec2(REGION, once=True)  # pyright: ignore[reportPrivateUsage] - the wire is the seam
    once_on_the_wire(client, "CreateFleet", ec2_error("MaxSpotInstanceCountExceeded"))

    with pytest.raises(QuotaExceeded, match="48 vCPUs") as refusal:
        cloud.launch(replace(request_, offerings=sold(cloud, TYPE)[:2]))
    assert SPOT_QUOTA in refusal.value.hint


def test_a_quota_that_refuses_a_fleet_of_several_types_is_held_against_the_dearest_alone(
    cloud: Aws, request_: LaunchRequest
) -> None:
    """AWS does not say whose it is: the others are asked without it, and the last one left is told its own."""
    places = (*sold(cloud, TYPE)[:2], *sold(cloud, NEURON)[:1])
    client = cloud._sessions.ec2(REGION, once=True)  # pyright: ignore[reportPrivateUsage] - the wire is the seam
    once_on_the_wire(client, "CreateFleet", ec2_error("MaxSpotInstanceCountExceeded"))

    with pytest.raises(InsufficientCapacity, match=r"vCPUs for one trn1\.32xlarge") as refusal:
        cloud.launch(replace(request_, offerings=places))

    assert [(row.instance_type, row.zone, row.lasting) for row in refusal.value.refused] == [(NEURON, "", False)]
    assert SPOT_QUOTA not in refusal.value.message


def test_where_each_type_lacks_quota_each_is_told_its_own(cloud: Aws, request_: LaunchRequest) -> None:
    """For good: a fleet that names them knows whose it is."""
    places = (*sold(cloud, TYPE)[:2], *sold(cloud, NEURON)[:1])
    request = replace(request_, offerings=places)
    errors = rejected(request, *(row(place, "MaxSpotInstanceCountExceeded") for place in places))

    refusal = said_by_fleet(errors, request)

    assert isinstance(refusal, InsufficientCapacity)
    assert [(one.instance_type, SPOT_QUOTA in one.message, one.lasting) for one in refusal.refused] == [
        (TYPE, True, True), (NEURON, False, True),
    ]  # fmt: skip


def test_an_unprepared_region_is_refused_before_any_call(cloud: Aws, request_: LaunchRequest) -> None:
    """Exit 2 with the command that prepares it."""
    elsewhere = replace(request_.offerings[0], region="ap-northeast-1", zone="ap-northeast-1a")

    with pytest.raises(ConfigError, match="ap-northeast-1 is not prepared") as refusal:
        cloud.launch(replace(request_, offerings=(elsewhere,)))
    assert "setup --region" in refusal.value.hint


def row(offering: Offering, code: str, message: str = "no") -> dict[str, Any]:
    override = {"InstanceType": offering.instance_type, "SubnetId": f"subnet-{offering.zone}"}
    return {"LaunchTemplateAndOverrides": {"Overrides": override}, "ErrorCode": code, "ErrorMessage": message}


def rejected(request: LaunchRequest, *rows: dict[str, Any]) -> Rejected:
    return Rejected(rows, {f"subnet-{offering.zone}": offering.zone for offering in request.offerings})


def test_a_used_up_quota_beside_a_full_zone_is_no_dead_end(cloud: Aws, request_: LaunchRequest) -> None:
    """The one is out for good in the whole region, the other for a few minutes in its zone; a silent one as well."""
    places = (*sold(cloud, TYPE)[:1], *sold(cloud, OTHER)[:2])
    request = replace(request_, offerings=places)
    errors = rejected(
        request, row(places[0], "MaxSpotInstanceCountExceeded"), row(places[1], "InsufficientInstanceCapacity")
    )

    refusal = said_by_fleet(errors, request)

    assert isinstance(refusal, InsufficientCapacity)
    assert [(r.instance_type, r.zone, r.lasting) for r in refusal.refused] == [
        (TYPE, "", True), (OTHER, places[1].zone, False), (OTHER, places[2].zone, False),
    ]  # fmt: skip
    assert SPOT_QUOTA in refusal.refused[0].message


def test_what_no_offering_mends_ends_the_search(cloud: Aws, request_: LaunchRequest) -> None:
    """A missing permission for one place is missing for all."""
    request = replace(request_, offerings=sold(cloud, TYPE)[:2])
    errors = rejected(request, row(request.offerings[0], "UnauthorizedOperation"))

    assert isinstance(said_by_fleet(errors, request), PermissionDenied)


def test_where_spot_costs_as_much_as_on_demand_there_is_none(cloud: Aws) -> None:
    """AWS shows the on-demand price where a zone has no spot capacity: it is no offer, and no saving."""
    before = sold(cloud, "g5.24xlarge")
    first = before[0]
    ask("price", type="g5.24xlarge", zone=first.zone, usd=str(first.on_demand_per_hour))

    after = sold(cloud, "g5.24xlarge")
    ask("price", type="g5.24xlarge", zone=first.zone, usd=str(first.price_per_hour))

    assert {offering.zone for offering in before} - {offering.zone for offering in after} == {first.zone}


def test_a_region_that_cannot_be_asked_leaves_the_others_on_sale(cloud: Aws) -> None:
    """It is a refusal by name, is left alone for a few minutes, and is an error only where it is all there is."""
    sessions, clock = Sessions(REGION), ManualClock(cloud.time())
    found = Offerings(sessions, Networks(sessions, clock), clock)
    called = on_the_wire(sessions.ec2("us-west-2"), lambda: ec2_error("Blocked", "not now"))
    wanted = Requirements(instance_types=(TYPE,))

    for _ in range(2):
        sold = found.find(wanted, regions=["us-west-2", REGION], store_region=REGION)
        assert {offering.region for offering in sold} == {REGION}
        assert [(row.region, row.zone, row.instance_type, row.code) for row in sold.refused] == [
            ("us-west-2", "", TYPE, "Blocked")
        ]
    assert len(called) == 1
    clock.advance(timedelta(minutes=5))
    for _ in range(2):
        with pytest.raises(CloudError, match="not now"):
            found.find(wanted, regions=["us-west-2"], store_region=REGION)
    assert len(called) == 3


def test_a_region_whose_network_is_gone_says_how_to_mend_it(cloud: Aws) -> None:
    """It sells nothing, and the type is not to blame."""
    sessions, clock = Sessions(REGION), ManualClock(cloud.time())
    sold = Offerings(sessions, Networks(sessions, clock), clock).find(
        Requirements(instance_types=(TYPE,)), regions=["eu-north-1"], store_region=REGION
    )

    assert not sold
    assert "setup --region eu-north-1" in sold.refused[0].message


def test_a_subnet_that_was_removed_is_the_next_offerings_business(cloud: Aws, request_: LaunchRequest) -> None:
    """The zone refuses, and the network is looked up anew: a second launch there knows that the subnet is gone."""
    zone, ec2 = request_.offerings[0].zone, aws("ec2")
    found = Networks(Sessions(REGION), SystemClock()).find(REGION)
    assert found is not None
    ec2.delete_subnet(SubnetId=found.subnets[zone])
    several = replace(request_, token=f"{request_.token}-f", offerings=sold(cloud, TYPE)[:2])
    codes: list[str] = []
    for request in (request_, request_, several):
        with pytest.raises(InsufficientCapacity) as refusal:
            cloud.launch(request)
        codes += [row.code for row in refusal.value.refused]
    cloud.prepare(REGION)

    assert codes == ["InvalidSubnetID.NotFound", "no-subnet", "no-subnet"]
    assert len(cloud.launch(request_)) == 1
