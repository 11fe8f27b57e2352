"""What a launch asks for beyond what moto hands on to its backend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.responses.instances import InstanceResponse

from provisioner.sandbox import interfaces as cards


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One launch, in the shapes of RunInstances and of launch templates."""

    market: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """InstanceMarketOptions."""
    count: tuple[int, int] | None = None
    """The least and the most; None: moto's own."""
    interfaces: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    group: str = ""
    """A placement group's name."""
    reservation: str = ""
    """The id of the one that is named."""
    disks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def spot(self) -> bool:
        return self.market.get("MarketType") == "spot"

    @property
    def spot_options(self) -> dict[str, Any]:
        return self.market.get("SpotOptions", {})

    @property
    def subnet(self) -> str:
        """Of the first interface."""
        return self._first.get("SubnetId", "")

    @property
    def public(self) -> bool | None:
        """What the first interface asks for; None where nothing was said and the subnet decides."""
        said = self._first.get("AssociatePublicIpAddress")
        return None if said is None else str(said).lower() == "true"

    @property
    def disk_gib(self) -> int:
        """All EBS volumes together."""
        return sum(int(disk.get("Ebs", {}).get("VolumeSize", 0)) for disk in self.disks)

    @property
    def _first(self) -> dict[str, Any]:
        return self.interfaces[0] if self.interfaces else {}


def of_call(call: InstanceResponse) -> Asked:
    """RunInstances."""
    return Asked(
        market=call._get_param("InstanceMarketOptions", {}),
        count=(int(call._get_param("MinCount", "1")), int(call._get_param("MaxCount", "1"))),
        interfaces=cards.asked_for(call._get_param("NetworkInterfaces", [])),
        group=call._get_param("Placement.GroupName") or "",
        reservation=target_of(call._get_param("CapacityReservationSpecification", {})),
        disks=call._get_param("BlockDeviceMappings", []) or [],
    )


def of_template(template: Mapping[str, Any], *, market: Mapping[str, Any], most: int) -> Asked:
    """A fleet's: any number up to `most` will do."""
    return Asked(
        market=market,
        count=(1, most),
        interfaces=cards.asked_for(template.get("NetworkInterfaces", [])),
        group=template.get("Placement", {}).get("GroupName", ""),
        reservation=target_of(template.get("CapacityReservationSpecification", {})),
        disks=template.get("BlockDeviceMappings", []),
    )


def target_of(specification: Mapping[str, Any]) -> str:
    return specification.get("CapacityReservationTarget", {}).get("CapacityReservationId", "")
