"""Buying machines: run_instances for one offering, an instant fleet for several. Our own retry: botocore's would repeat
a capacity refusal (HTTP 500) as if the server had failed."""

import base64
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from provisioner.catalog import load
from provisioner.clock import Clock
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.describe import Machines
from provisioner.clouds.aws.errors import CAPACITY, NOT_SOLD_THERE, by_code, translated
from provisioner.clouds.aws.instances import Instances
from provisioner.clouds.aws.network import Network, Networks
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.instances import Instance
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import CapacityType, Offering, WayKind
from provisioner.errors import (
    CloudError,
    CloudUnavailable,
    ConfigError,
    InstanceNotFound,
    InsufficientCapacity,
    QuotaExceeded,
    RateLimited,
    Refused,
)

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

T = TypeVar("T")
TRIES = 6
FIRST_PAUSE = timedelta(seconds=1)
PROFILE_WAIT = timedelta(seconds=60)
"""IAM is eventually consistent: a new profile is unknown to EC2 for a while."""
LISTED_WITHIN = timedelta(seconds=20)
ROOT_DEVICES = {"nvidia": "/dev/sda1", "neuron": "/dev/sda1", "cpu": "/dev/xvda"}
"""Of Ubuntu's and Amazon Linux's images."""


class Launches:
    """One account's purchases."""

    def __init__(self, sessions: Sessions, networks: Networks, instances: Instances, clock: Clock) -> None:
        self._sessions, self._networks, self._instances = sessions, networks, instances
        self._clock = clock
        self._machines = Machines(sessions)

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """All or none. Raises InsufficientCapacity with every offering that refused."""
        region = request.offerings[0].region
        network = self._networks.find(region)
        if network is None:
            raise ConfigError(f"region: {region} is not prepared.", hint=f"'accelctl setup --region {region}'.")
        ec2 = self._sessions.ec2(region, once=True)
        if len(request.offerings) == 1:
            return self._one(ec2, request, request.offerings[0], network=network)
        return self._fleet(ec2, request, network)

    # one offering -----------------------------------------------------------------------------------------------------

    def _one(self, ec2: "EC2Client", request: LaunchRequest, offering: Offering, *, network: Network) -> list[Instance]:
        call = self._template(request, offering, network) | {
            "ClientToken": request.token, "MinCount": request.count, "MaxCount": request.count,
            "InstanceType": offering.instance_type,
            "TagSpecifications": self._marks(request, spot=offering.capacity_type is CapacityType.SPOT),
        }  # fmt: skip
        try:
            answer = self._patiently("ec2:RunInstances", lambda: ec2.run_instances(**call))
        except InsufficientCapacity as refusal:
            raise InsufficientCapacity(
                refusal.message, code=refusal.code, refused=[refused(offering, refusal.code, refusal.message)]
            ) from refusal
        except QuotaExceeded as refusal:
            raise over_quota(offering, refusal) from refusal
        return self._listed([raw["InstanceId"] for raw in answer["Instances"]], offering.region)

    def _patiently(self, action: str, call: Callable[[], T]) -> T:
        """The same call with the same token, while AWS is busy or does not know the new profile yet."""
        give_up, pause, tries = self._clock.now() + PROFILE_WAIT, FIRST_PAUSE, 0
        while True:
            try:
                with translated(action):
                    return call()
            except (RateLimited, CloudUnavailable):
                tries += 1
                if tries >= TRIES:
                    raise
            except ConfigError as refusal:
                if "Invalid IAM Instance Profile" not in refusal.message or self._clock.now() > give_up:
                    raise
            self._clock.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, timedelta(seconds=10))

    def _listed(self, ids: Sequence[str], region: str) -> list[Instance]:
        """A new machine is unknown for a moment; what RunInstances said is all that a caller needs to go on."""
        give_up, pause = self._clock.now() + LISTED_WITHIN, timedelta(milliseconds=200)
        while True:
            try:
                return [self._instances.get(instance_id, region) for instance_id in ids]
            except InstanceNotFound:
                if self._clock.now() > give_up:
                    raise CloudUnavailable(f"{', '.join(ids)} is bought, but not listed yet.") from None
            self._clock.sleep(pause)
            pause = min(pause * 2, timedelta(seconds=2))

    def _template(self, request: LaunchRequest, offering: Offering, network: Network) -> dict[str, Any]:
        """What a run and a launch template have in common."""
        image = self._machines.image(offering.instance_type)
        interface: dict[str, Any] = {
            "DeviceIndex": 0, "SubnetId": network.subnets[offering.zone].id, "Groups": [network.security_group],
            "AssociatePublicIpAddress": network.way is WayKind.PUBLIC, "DeleteOnTermination": True,
        }  # fmt: skip
        if network.way is WayKind.IPV6:
            interface["Ipv6AddressCount"] = 1
        disk = {"VolumeSize": request.disk_gib, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
        return {
            "ImageId": f"resolve:ssm:{image.parameter}",
            "UserData": request.user_data,
            "IamInstanceProfile": {"Name": request.identity},
            "NetworkInterfaces": [interface],
            "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICES[image.kind], "Ebs": disk}],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
            "InstanceInitiatedShutdownBehavior": "terminate",
        } | market(request, offering)

    @staticmethod
    def _marks(request: LaunchRequest, *, spot: bool) -> list[Any]:
        kinds = ["instance", "volume", "network-interface", *(["spot-instances-request"] if spot else [])]
        return [mark for kind in kinds for mark in tags.in_create(kind, request.labels)]

    # several offerings ------------------------------------------------------------------------------------------------

    def _fleet(self, ec2: "EC2Client", request: LaunchRequest, network: Network) -> list[Instance]:
        """An instant fleet over a launch template per image; the template stays until the job is cleaned."""
        configs = [
            {"LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
             "Overrides": [override(offering, network) for offering in offerings]}
            for template, offerings in self._templates(ec2, request, network)
        ]  # fmt: skip
        spot = request.offerings[0].capacity_type is CapacityType.SPOT
        options: dict[str, Any] = {
            "SingleInstanceType": True,
            "SingleAvailabilityZone": True,
            "MinTargetCapacity": request.count,
        }
        strategy = (
            {"SpotOptions": options | {"AllocationStrategy": "price-capacity-optimized"}}
            if spot
            else {"OnDemandOptions": options}
        )
        call: dict[str, Any] = {
            "Type": "instant", "ClientToken": request.token, "LaunchTemplateConfigs": configs,
            "TargetCapacitySpecification": {"TotalTargetCapacity": request.count, "DefaultTargetCapacityType": "spot" if spot else "on-demand"},
            "TagSpecifications": [mark for kind in ("fleet", "instance", "volume", "network-interface") for mark in tags.in_create(kind, request.labels)],
        } | strategy  # fmt: skip
        answer = self._patiently("ec2:CreateFleet", lambda: ec2.create_fleet(**call))
        ids = [instance_id for row in answer.get("Instances", []) for instance_id in row.get("InstanceIds", [])]
        if len(ids) < request.count:
            self._give_up(ec2, answer["FleetId"], ids)
            raise from_rows(answer.get("Errors", []), request)
        return self._listed(ids, network.region)

    def _templates(
        self, ec2: "EC2Client", request: LaunchRequest, network: Network
    ) -> list[tuple[str, list[Offering]]]:
        by_image: dict[str, list[Offering]] = {}
        for offering in request.offerings:
            by_image.setdefault(self._machines.image(offering.instance_type).parameter, []).append(offering)
        return [
            (self._one_template(ec2, request, offerings[0], network=network, number=number), offerings)
            for number, offerings in enumerate(by_image.values())
        ]

    def _one_template(
        self, ec2: "EC2Client", request: LaunchRequest, offering: Offering, *, network: Network, number: int
    ) -> str:
        name = f"accelctl-{request.token}-{number}"
        data = self._template(request, offering, network)
        data["UserData"] = base64.b64encode(request.user_data.encode()).decode()
        del data["NetworkInterfaces"][0]["SubnetId"]  # each override names its own
        data.pop("InstanceMarketOptions", None)  # the fleet says it
        try:
            with translated("ec2:CreateLaunchTemplate"):
                made = ec2.create_launch_template(
                    LaunchTemplateName=name, LaunchTemplateData=data, ClientToken=f"{request.token}-t{number}",  # pyright: ignore[reportArgumentType]
                    TagSpecifications=tags.in_create("launch-template", request.labels),
                )  # fmt: skip
            return made["LaunchTemplate"]["LaunchTemplateId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        except ConfigError as refusal:
            if "AlreadyExists" not in refusal.message:
                raise
        except CloudError as refusal:
            if "AlreadyExists" not in refusal.code:
                raise
        with translated("ec2:DescribeLaunchTemplates"):
            held = ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"]
        return held[0]["LaunchTemplateId"]  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def _give_up(self, ec2: "EC2Client", fleet: str, ids: Sequence[str]) -> None:
        """All or none: what came of a part goes with its fleet."""
        with translated("ec2:DeleteFleets"):
            ec2.delete_fleets(FleetIds=[fleet], TerminateInstances=True)
        for instance_id in ids:
            self._instances.terminate(instance_id, ec2.meta.region_name)


def market(request: LaunchRequest, offering: Offering) -> dict[str, Any]:
    """One-time spot that terminates; no maximum price unless the user set one: a low one only invites interruptions."""
    if offering.capacity_type is not CapacityType.SPOT:
        return {}
    options: dict[str, Any] = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    if request.max_price is not None:
        options["MaxPrice"] = str(request.max_price)
    return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}


def override(offering: Offering, network: Network) -> dict[str, str]:
    return {"InstanceType": offering.instance_type, "SubnetId": network.subnets[offering.zone].id}


def refused(offering: Offering, code: str, message: str) -> Refused:
    return Refused(
        region=offering.region, zone=offering.zone, instance_type=offering.instance_type,
        capacity_type=offering.capacity_type, code=code, message=message, lasting=code in NOT_SOLD_THERE,
    )  # fmt: skip


def from_rows(rows: Sequence[Any], request: LaunchRequest) -> CloudError | ConfigError:
    """The errors inside a fleet's success: a capacity refusal for each offering, or the one that is something else."""
    said = {}
    for row in rows:
        code, message = row.get("ErrorCode", ""), row.get("ErrorMessage", "")
        if code not in CAPACITY | NOT_SOLD_THERE:
            found = by_code(code, message, "ec2:CreateFleet")
            if isinstance(found, QuotaExceeded):
                return over_quota(request.offerings[0], found)
            if isinstance(found, CloudError | ConfigError):
                return found
        overrides = row.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
        said[overrides.get("InstanceType", ""), overrides.get("AvailabilityZone", "")] = (code, message)
    kinds = {kind: told for (kind, _), told in said.items()}
    default = ("UnfulfillableCapacity", "the fleet found no capacity")
    pools = [refused(offering, *kinds.get(offering.instance_type, default)) for offering in request.offerings]
    return InsufficientCapacity("no capacity in any of the offerings.", code=pools[0].code, refused=pools)


def over_quota(offering: Offering, refusal: QuotaExceeded) -> QuotaExceeded:
    """With the quota's own code and what the machine needs, from the catalog."""
    machine = load().find("aws", offering.instance_type)
    spot = offering.capacity_type is CapacityType.SPOT
    code = (machine.quota_spot if spot else machine.quota_on_demand) if machine else ""
    need = f"{machine.vcpus} vCPUs for one {offering.instance_type}" if machine else offering.instance_type
    return QuotaExceeded(
        f"the account's {offering.capacity_type} quota in {offering.region} is used up ({refusal.code}): {need}.",
        code=refusal.code, hint=f"ask for more of quota {code or 'of this family'} in {offering.region}.",
    )  # fmt: skip
