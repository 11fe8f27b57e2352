"""Types as EC2 describes them, for those that the catalog lacks; and which image a type boots."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from provisioner.catalog import load
from provisioner.catalog.described import from_description
from provisioner.catalog.tariffs import image_parameter
from provisioner.clock import Clock
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.machines import ImageKind, MachineType
from provisioner.errors import CloudError, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The public parameter that names a type's image."""

    kind: ImageKind
    parameter: str


class Machines:
    """The catalog first, then EC2."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock
        self._described: dict[str, MachineType] = {}

    def describe(self, instance_type: str, regions: Iterable[str]) -> MachineType | None:
        """None where EC2 knows it in none of them: it tells of what the region sells. Raises ConfigError for a type
        that runs no Linux, CloudError where one that cannot be asked might know it.
        """
        refusals: list[CloudError] = []
        for region in dict.fromkeys(regions):
            try:
                found = self._described.get(instance_type) or self._look(instance_type, region)
            except CloudError as refusal:
                refusals.append(refusal)
                continue
            if found:
                self._described[instance_type] = found
                return found
        if refusals:
            raise refusals[0]
        return None

    def _look(self, instance_type: str, region: str) -> MachineType | None:
        filters: list[Any] = [{"Name": "instance-type", "Values": [instance_type]}]
        with translated("ec2:DescribeInstanceTypes"):
            found = self._sessions.ec2(region).describe_instance_types(Filters=filters)["InstanceTypes"]
        return from_description(found[0], self._clock.now().date()) if found else None

    def image(self, instance_type: str, region: str) -> Image:
        """Raises ConfigError where there is none for the type."""
        found = load().find("aws", instance_type) or self.describe(instance_type, [region])
        parameter = image_parameter(found.image, found.architecture) if found else None
        if found is None or parameter is None:
            raise ConfigError(f"--instance: there is no image for '{instance_type}'.", hint="choose another type.")
        return Image(kind=found.image, parameter=parameter)
