"""What the sandbox sells and refuses: with AWS's codes, statuses and words."""

import base64
import contextlib
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.sandbox.client import ask
from tests.sandbox.world import TYPE, aws, describe, launch, refused, until

pytestmark = pytest.mark.usefixtures("sandbox")


def test_no_capacity_is_an_http_500_and_another_zone_serves() -> None:
    """InsufficientInstanceCapacity comes with status 500, as on AWS."""
    ask("capacity", type=TYPE, zone="us-east-1c", count="0")

    assert refused(lambda: launch("true", "us-east-1c")) == ("InsufficientInstanceCapacity", 500)
    assert launch("true", "us-east-1d")["InstanceLifecycle"] == "spot"


def test_racing_launches_share_out_the_capacity_exactly() -> None:
    """Eight racers for three machines: three get one."""
    ask("capacity", type="p5.48xlarge", zone="us-east-1b", count="3")

    def attempt(_: int) -> bool:
        with contextlib.suppress(ClientError):
            return bool(launch("true", "us-east-1b", InstanceType="p5.48xlarge"))
        return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 3


def test_capacity_comes_back_when_its_user_ends_the_machine() -> None:
    """What is terminated can be bought again."""
    ask("capacity", type="g5.xlarge", zone="us-east-1a", count="1")
    made = launch("true", InstanceType="g5.xlarge")["InstanceId"]
    assert refused(lambda: launch("true", InstanceType="g5.xlarge"))[0] == "InsufficientInstanceCapacity"

    aws("ec2").terminate_instances(InstanceIds=[made])

    assert launch("true", InstanceType="g5.xlarge")["InstanceId"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Placement": {"AvailabilityZone": "us-east-1e"}}, ("Unsupported", 400)),
        ({"UserData": "#" * 16385}, ("InvalidParameterValue", 400)),
        ({"InstanceType": "p4d.42xlarge"}, ("InvalidParameterValue", 400)),
        ({"ImageId": "resolve:ssm:/aws/service/nothing"}, ("InvalidParameterValue", 400)),
        ({"DryRun": True}, ("DryRunOperation", 412)),
    ],
)
def test_what_aws_refuses_is_refused(more: dict[str, Any], code: tuple[str, int]) -> None:
    """Each refusal has the code and the status that AWS gives."""
    assert refused(lambda: launch("true", **more)) == code


def test_the_spot_quota_counts_vcpus_of_its_family() -> None:
    """A quota that is used up refuses with MaxSpotInstanceCountExceeded, and can be asked for."""
    ask("quota", region="us-west-2", code="L-3819A6DF", limit="8")
    quota = aws("service-quotas", "us-west-2").get_service_quota(ServiceCode="ec2", QuotaCode="L-3819A6DF")
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}, "MinCount": 1, "MaxCount": 1, "ImageId": "ami-1"}

    assert quota["Quota"]["Value"] == 8
    assert aws("ec2", "us-west-2").run_instances(InstanceType="g5.2xlarge", **spot)["Instances"]
    assert refused(lambda: aws("ec2", "us-west-2").run_instances(InstanceType="g5.2xlarge", **spot)) == (
        "MaxSpotInstanceCountExceeded", 400,
    )  # fmt: skip


def test_injected_refusals_arrive_once_with_their_status() -> None:
    """A fault is used up by one call."""
    ask("fault", operation="DescribeVpcs", code="RequestLimitExceeded")

    assert refused(lambda: aws("ec2").describe_vpcs()) == ("RequestLimitExceeded", 503)
    assert aws("ec2").describe_vpcs()["Vpcs"]


def test_a_new_machine_is_not_listed_at_once() -> None:
    """The cloud is eventually consistent: a new id is unknown for a moment, then it is there."""
    ask("consistency", seconds="600")
    made = launch("true")["InstanceId"]

    assert describe(made) is None
    ask("consistency", seconds="0.3")
    assert until(lambda: describe(made))


def test_filters_that_moto_lacks() -> None:
    """Lifecycle, client token and wildcards select."""
    made = launch("true", ClientToken="filtered")["InstanceId"]
    until(lambda: describe(made))
    filters = [{"Name": "instance-lifecycle", "Values": ["spot"]}, {"Name": "client-token", "Values": ["filt*"]}]
    found = aws("ec2").describe_instances(Filters=filters)["Reservations"]

    assert [i["InstanceId"] for r in found for i in r["Instances"]] == [made]


def test_a_web_page_or_a_stranger_cannot_launch_anything(sandbox: dict[str, Any]) -> None:
    """Foreign origin, foreign host, foreign key: refused."""
    body = b"Action=RunInstances&UserData=IyEvYmluL3No&MinCount=1&MaxCount=1"
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {}):
        asked = urllib.request.Request(sandbox["endpoint"], data=body, headers=headers)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(asked)


def test_one_time_spot_cannot_be_stopped() -> None:
    """StopInstances of a one-time request is UnsupportedOperation."""
    made = launch("true")["InstanceId"]
    until(lambda: describe(made))

    assert refused(lambda: aws("ec2").stop_instances(InstanceIds=[made]))[0] == "UnsupportedOperation"


def test_the_same_token_gives_the_same_instance_and_other_parameters_are_refused() -> None:
    """A token is a purchase."""
    first, again = (launch("true", ClientToken="t1")["InstanceId"] for _ in range(2))

    assert first == again
    assert refused(lambda: launch("false", ClientToken="t1"))[0] == "IdempotentParameterMismatch"


def test_price_changes_stay_in_the_history_and_bind_the_maximum_price() -> None:
    """The newest price comes first; a lower maximum is refused."""
    ask("price", type=TYPE, zone="us-east-1b", usd="12.5")
    rows = aws("ec2").describe_spot_price_history(
        InstanceTypes=[TYPE], Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}]
    )["SpotPriceHistory"]
    cheap = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "7"}}

    assert rows[0]["SpotPrice"] == "12.500000"
    assert len(rows) == 2
    assert refused(lambda: launch("true", "us-east-1b", InstanceMarketOptions=cheap))[0] == "SpotMaxPriceTooLow"


def test_an_instant_fleet_reports_the_overrides_that_failed_and_honours_its_token() -> None:
    """Errors are rows in a 200; the same token gives the same fleet."""
    ask("capacity", type="g6.xlarge", zone="us-east-1a", count="0")
    script = base64.b64encode(b"#!/bin/sh\ntrue\n").decode()
    template = aws("ec2").create_launch_template(
        LaunchTemplateName="t", LaunchTemplateData={"ImageId": "ami-1", "InstanceType": "g6.xlarge", "UserData": script}
    )["LaunchTemplate"]["LaunchTemplateId"]
    overrides = [{"InstanceType": kind, "AvailabilityZone": "us-east-1a"} for kind in ("g6.xlarge", "g6.2xlarge")]
    asked: dict[str, Any] = {
        "Type": "instant", "ClientToken": "f1", "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
        "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                                   "Overrides": overrides}],
    }  # fmt: skip
    fleet = aws("ec2").create_fleet(**asked)
    made = until(lambda: describe(fleet["Instances"][0]["InstanceIds"][0]))

    assert [error["ErrorCode"] for error in fleet["Errors"]] == ["InsufficientInstanceCapacity"]
    assert (made["InstanceType"], bool(made["SpotInstanceRequestId"])) == ("g6.2xlarge", True)
    assert aws("ec2").create_fleet(**asked)["FleetId"] == fleet["FleetId"]
