"""An instant fleet: any of several offerings of one region, in one call, over a launch template for each image.

Errors come inside a success, one for each override. The fleet stays until its machines are gone (EC2 cannot delete it
before), its templates until the job is cleaned: the same token must meet the same templates.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from provisioner.clouds.aws import tags
from provisioner.clouds.aws.errors import by_code, code_of, translated
from provisioner.clouds.aws.network import Network
from provisioner.domain.launches import LaunchRequest
from provisioner.domain.offerings import CapacityType, Offering
from provisioner.errors import AccelctlError, InsufficientCapacity

Ec2 = Any
Template = Callable[[Offering], tuple[str, dict[str, Any]]]
"""The parameter that names an offering's image, and the data of a launch template for it."""


class Rejected(Exception):
    """The fleet gave too little; `rows` are its Errors, `zones` the zone of each subnet."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], zones: Mapping[str, str]) -> None:
        super().__init__(f"{len(rows)} errors")
        self._rows, self._zones = rows, zones

    silence = InsufficientCapacity("the fleet found no capacity.", code="UnfulfillableCapacity")
    """Of an offering that the errors do not name."""

    def says(self, text: str) -> bool:
        return any(text in row.get("ErrorMessage", "") for row in self._rows)

    def meanings(self) -> dict[tuple[str, str], AccelctlError]:
        """By instance type and zone."""
        return {
            self._place(row): by_code(row.get("ErrorCode", ""), row.get("ErrorMessage", ""), "ec2:CreateFleet")
            for row in self._rows
        }

    def _place(self, row: Mapping[str, Any]) -> tuple[str, str]:
        override = row.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
        zone = override.get("AvailabilityZone") or self._zones.get(override.get("SubnetId", ""), "")
        return override.get("InstanceType", ""), zone


class Fleet:
    """One request as a fleet."""

    def __init__(self, ec2: Ec2, request: LaunchRequest, network: Network, *, template: Template) -> None:
        self._ec2, self._request, self._network = ec2, request, network
        self._spot = request.offerings[0].capacity_type is CapacityType.SPOT
        self._template = template

    def buy(self, number: int) -> list[str]:
        """Ids of all machines asked for. The number tells tries apart. Raises Rejected, ClientError."""
        answer = self._ec2.create_fleet(
            Type="instant", ClientToken=f"{self._request.token}-{number}", LaunchTemplateConfigs=self._configs(),
            TargetCapacitySpecification={
                "TotalTargetCapacity": self._request.count,
                "DefaultTargetCapacityType": "spot" if self._spot else "on-demand",
            },
            TagSpecifications=tags.in_create("fleet", self._request.labels),
            **{"SpotOptions" if self._spot else "OnDemandOptions": self._options()},
        )  # fmt: skip
        ids = [instance_id for row in answer.get("Instances", []) for instance_id in row.get("InstanceIds", [])]
        if len(ids) < self._request.count:
            self._ec2.delete_fleets(FleetIds=[answer["FleetId"]], TerminateInstances=True)
            zones = {subnet: zone for zone, subnet in self._network.subnets.items()}
            raise Rejected(answer.get("Errors", []), zones)
        return ids

    def _options(self) -> dict[str, Any]:
        """All or none is promised by EC2 only within one zone, where a gang belongs anyway."""
        strategy = "price-capacity-optimized" if self._spot else "lowest-price"
        gang = {"SingleAvailabilityZone": True, "MinTargetCapacity": self._request.count}
        return {"AllocationStrategy": strategy} | (gang if self._request.count > 1 else {})

    def _configs(self) -> list[dict[str, Any]]:
        by_image: dict[str, tuple[dict[str, Any], list[Offering]]] = {}
        for offering in self._request.offerings:
            image, data = self._template(offering)
            by_image.setdefault(image, (data, []))[1].append(offering)
        return [
            {"LaunchTemplateSpecification": {"LaunchTemplateName": self._made(number, data), "Version": "1"},
             "Overrides": [self._override(offering) for offering in offerings]}
            for number, (data, offerings) in enumerate(by_image.values())
        ]  # fmt: skip

    def _made(self, number: int, data: dict[str, Any]) -> str:
        """The template's name; there already when the call is made again."""
        name = f"accelctl-{self._request.token}-{number}"
        marks = tags.of_machine(self._request.labels, spot=self._spot)
        user_data = base64.b64encode(self._request.user_data.encode()).decode()
        with translated("ec2:CreateLaunchTemplate"):
            try:
                self._ec2.create_launch_template(
                    LaunchTemplateName=name, ClientToken=name[-64:],
                    LaunchTemplateData=data | {"UserData": user_data, "TagSpecifications": marks},
                    TagSpecifications=tags.in_create("launch-template", self._request.labels),
                )  # fmt: skip
            except ClientError as error:
                if code_of(error) != "InvalidLaunchTemplateName.AlreadyExistsException":
                    raise
        return name

    def _override(self, offering: Offering) -> dict[str, str]:
        """No maximum price unless the user set one."""
        price = {} if self._request.max_price is None or not self._spot else {"MaxPrice": str(self._request.max_price)}
        return {"InstanceType": offering.instance_type, "SubnetId": self._network.subnets[offering.zone]} | price
