"""Buying machines: RunInstances for one offering, an instant fleet for several (fleet.py).

The retry is our own: botocore's would repeat a capacity refusal (HTTP 500) as if the server had failed.
"""

import random
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from provisioner.catalog import load
from provisioner.clock import Clock
from provisioner.clouds.aws import tags
from provisioner.clouds.aws.describe import Image, Machines
from provisioner.clouds.aws.errors import NOT_SOLD_THERE, REMOVED, translated
from provisioner.clouds.aws.fleet import Fleet, Rejected
from provisioner.clouds.aws.instances import Instances
from provisioner.clouds.aws.network import Network, Networks
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.instances import Instance
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.machines import ImageKind
from provisioner.domain.offerings import CapacityType, Offering, WayKind
from provisioner.domain.refusals import of_offering, of_region
from provisioner.errors import (
    AccelctlError,
    CloudError,
    CloudUnavailable,
    ConfigError,
    InstanceNotFound,
    InsufficientCapacity,
    QuotaExceeded,
    RateLimited,
    Refused,
)

Ec2 = Any
"""A client of EC2 that never repeats a call by itself."""
T = TypeVar("T")
TRIES = 6
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=10)
PROFILE_WAIT = timedelta(seconds=60)
"""IAM is eventually consistent: a new profile is unknown to EC2 for a while."""
NEW_PROFILE = "Invalid IAM Instance Profile"
LISTED_WITHIN = timedelta(seconds=20)
ROOT_DEVICES = {ImageKind.NVIDIA: "/dev/sda1", ImageKind.NEURON: "/dev/sda1", ImageKind.CPU: "/dev/xvda"}
"""Of Ubuntu's and Amazon Linux's images."""


class Launches:
    """One account's purchases."""

    def __init__(self, sessions: Sessions, networks: Networks, instances: Instances, clock: Clock) -> None:
        self._sessions, self._networks, self._instances = sessions, networks, instances
        self._clock = clock
        self._machines = Machines(sessions, clock)

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """All or none. Raises InsufficientCapacity with every offering that refused."""
        region = request.offerings[0].region
        network = self._networks.find(region)
        if network is None:
            raise ConfigError(f"region: {region} is not prepared.", hint=f"'accelctl setup --region {region}'.")
        buy = self._one if len(request.offerings) == 1 else self._several
        try:
            with offerings_named(request):
                refuse_unplaced(request, network)
                ids = buy(self._sessions.ec2(region, once=True), request, network)
            return self._listed(ids, region)
        except ConfigError:
            self._networks.forget(region)  # what was found there may have been removed since
            raise
        except InsufficientCapacity as refusal:
            if any(row.code in REMOVED for row in refusal.refused):
                self._networks.forget(region)
            raise

    def _one(self, ec2: Ec2, request: LaunchRequest, network: Network) -> list[str]:
        offering = request.offerings[0]
        spot = offering.capacity_type is CapacityType.SPOT
        image = self._machines.image(offering.instance_type, offering.region)
        call: dict[str, Any] = self._machine(request, image, network) | {
            "ClientToken": request.token, "MinCount": request.count, "MaxCount": request.count,
            "InstanceType": offering.instance_type, "UserData": request.user_data,
            "TagSpecifications": tags.of_machine(request.labels, spot=spot), **market(request, offering),
        }  # fmt: skip
        call["NetworkInterfaces"][0]["SubnetId"] = network.subnets[offering.zone]
        answer = self._patiently("ec2:RunInstances", lambda: ec2.run_instances(**call))
        return [raw["InstanceId"] for raw in answer["Instances"]]

    def _several(self, ec2: Ec2, request: LaunchRequest, network: Network) -> list[str]:
        """A fleet answers the same token the same way for ever, so each try has its own, in an order that is fixed."""
        fleet = Fleet(ec2, request, network, template=lambda offering: self._template(request, offering, network))

        def buy(number: int) -> list[str]:
            return self._patiently("ec2:CreateFleet", lambda: fleet.buy(number))

        give_up, number = self._clock.now() + PROFILE_WAIT, 0
        while True:
            try:
                return buy(number)
            except Rejected as rejection:
                if not rejection.says(NEW_PROFILE) or self._clock.now() > give_up:
                    raise said_by_fleet(rejection, request) from rejection
            self._clock.sleep(jittered(FIRST_PAUSE * (number + 1)))
            number += 1

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
                if NEW_PROFILE not in refusal.message or self._clock.now() > give_up:
                    raise
            self._clock.sleep(jittered(pause))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _listed(self, ids: Sequence[str], region: str) -> list[Instance]:
        """A new machine is unknown for a moment. Raises CloudUnavailable: the same token finds it again."""
        give_up, pause = self._clock.now() + LISTED_WITHIN, timedelta(milliseconds=200)
        while True:
            try:
                return [self._instances.get(instance_id, region) for instance_id in ids]
            except InstanceNotFound:
                if self._clock.now() > give_up:
                    raise CloudUnavailable(f"{', '.join(ids)} is bought, but not listed yet.") from None
            self._clock.sleep(pause)
            pause = min(pause * 2, timedelta(seconds=2))

    def _template(self, request: LaunchRequest, offering: Offering, network: Network) -> tuple[str, dict[str, Any]]:
        """The image's parameter, and what a launch template for it says."""
        image = self._machines.image(offering.instance_type, offering.region)
        return image.parameter, self._machine(request, image, network)

    def _machine(self, request: LaunchRequest, image: Image, network: Network) -> dict[str, Any]:
        """What a run and a launch template have in common."""
        interface: dict[str, Any] = {
            "DeviceIndex": 0, "Groups": [network.security_group], "DeleteOnTermination": True,
            "AssociatePublicIpAddress": network.way is WayKind.PUBLIC,
        }  # fmt: skip
        if network.way is WayKind.IPV6:
            interface["Ipv6AddressCount"] = 1
        disk = {"VolumeSize": request.disk_gib, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
        return {
            "ImageId": f"resolve:ssm:{image.parameter}",
            "IamInstanceProfile": {"Name": request.identity},
            "NetworkInterfaces": [interface],
            "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICES[image.kind], "Ebs": disk}],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
            "InstanceInitiatedShutdownBehavior": "terminate",
        }


def jittered(pause: timedelta) -> timedelta:
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret


def market(request: LaunchRequest, offering: Offering) -> dict[str, Any]:
    """One-time spot that terminates; no maximum price unless the user set one: a low one only invites interruptions."""
    if offering.capacity_type is not CapacityType.SPOT:
        return {}
    options: dict[str, Any] = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    if request.max_price is not None:
        options["MaxPrice"] = str(request.max_price)
    return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}


def refuse_unplaced(request: LaunchRequest, network: Network) -> None:
    """Raises InsufficientCapacity for the offerings whose zone has lost its subnet since they were found."""
    gone = [
        refused(offering, "no-subnet", f"{offering.zone} has no subnet; 'accelctl setup' makes it.")
        for offering in request.offerings
        if offering.zone not in network.subnets
    ]
    if gone:
        raise InsufficientCapacity(gone[0].message, code=gone[0].code, refused=gone)


@contextmanager
def offerings_named(request: LaunchRequest) -> Generator[None]:
    """A call that is refused as a whole is refused for each of its offerings; for good only if there is just one.

    A quota is one type's.
    """
    try:
        yield
    except QuotaExceeded as refusal:
        raise without_quota(request, refusal) from refusal
    except InsufficientCapacity as refusal:
        if refusal.refused:
            raise
        rows = [refused(offering, refusal.code, refusal.message) for offering in request.offerings]
        if len(rows) > 1:
            rows = [row._replace(lasting=False) for row in rows]
        raise InsufficientCapacity(refusal.message, code=refusal.code, refused=rows) from refusal


def refused(offering: Offering, code: str, message: str) -> Refused:
    return of_offering(offering, code, message, lasting=code in NOT_SOLD_THERE)


def said_by_fleet(rejection: Rejected, request: LaunchRequest) -> AccelctlError:
    """A refusal for each offering: of its zone, of its region where a quota is used up; or what no offering mends."""
    meanings = rejection.meanings()
    for meaning in meanings.values():
        if not isinstance(meaning, InsufficientCapacity | QuotaExceeded | RateLimited | CloudUnavailable):
            return meaning
    said: list[AccelctlError] = [
        meanings.get((offering.instance_type, offering.zone), rejection.silence) for offering in request.offerings
    ]
    rows = [row_of(offering, meaning) for offering, meaning in zip(request.offerings, said, strict=True)]
    return InsufficientCapacity(
        "no capacity in any of the offerings.", code=rows[0].code, refused=list(dict.fromkeys(rows))
    )


def row_of(offering: Offering, meaning: AccelctlError) -> Refused:
    if isinstance(meaning, QuotaExceeded):
        return of_region([offering], over_quota(offering, meaning))[0]
    return refused(offering, getattr(meaning, "code", ""), meaning.message)


def without_quota(request: LaunchRequest, refusal: QuotaExceeded) -> CloudError:
    """Of several types AWS does not say which: the dearest is left alone for a while, and the others are asked."""
    dearest = request.offerings[-1]
    if len({offering.instance_type for offering in request.offerings}) == 1:
        return over_quota(dearest, refusal)
    row = row_of(dearest, refusal)._replace(lasting=False)
    return InsufficientCapacity(row.message, code=row.code, refused=[row])


def over_quota(offering: Offering, refusal: AccelctlError) -> QuotaExceeded:
    """With the quota's own code and what the machine needs, from the catalog."""
    machine = load().find("aws", offering.instance_type)
    spot = offering.capacity_type is CapacityType.SPOT
    quota = (machine.quota_spot if spot else machine.quota_on_demand) if machine else ""
    need = f"{machine.vcpus} vCPUs for one {offering.instance_type}" if machine else offering.instance_type
    code = getattr(refusal, "code", "")
    return QuotaExceeded(
        f"the account's {offering.capacity_type} quota in {offering.region} is used up ({code}): {need}.",
        code=code, hint=f"ask for more of quota {quota or 'of this family'} in {offering.region}.",
    )  # fmt: skip
