"""Network interfaces of a launch as they were asked for: moto keeps one per device index, all of one type, on card 0.

Limits and rules: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html#efa-limits and DescribeInstanceTypes.
"""

from typing import Any

from moto.ec2.models.elastic_network_interfaces import Attachment, NetworkInterface
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance

from provisioner.sandbox.lifecycle import Refused

EFA = ("efa", "efa-only")


def asked_for(interfaces: Any) -> list[dict[str, Any]]:
    return interfaces if isinstance(interfaces, list) else list((interfaces or {}).values())


def card_of(interface: dict[str, Any]) -> int:
    return int(interface.get("NetworkCardIndex") or 0)


def kind_of(interface: dict[str, Any]) -> str:
    return interface.get("InterfaceType") or "interface"


def refuse_wrong(instance_type: str, interfaces: list[dict[str, Any]]) -> None:
    """Raises Refused for what the type does not have."""
    network = INSTANCE_TYPES[instance_type]["NetworkInfo"]
    efas = [one for one in interfaces if kind_of(one) in EFA]
    limit = network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)
    cards = network.get("MaximumNetworkCards", 1)
    if efas and not limit:
        raise Refused(
            "InvalidParameterCombination", f"{instance_type} instances do not support Elastic Fabric Adapters."
        )
    if len(efas) > limit:
        raise Refused(
            "AttachmentLimitExceeded", f"{instance_type} takes {limit} EFA interfaces, {len(efas)} were asked."
        )
    if beyond := [card_of(one) for one in interfaces if card_of(one) >= cards]:
        raise Refused("InvalidParameterValue", f"Network card index {max(beyond)} of {instance_type} is out of range.")
    places = [(card_of(one), str(one.get("DeviceIndex"))) for one in interfaces]
    if len(places) > len(set(places)):
        raise Refused("InvalidParameterValue", "Each network interface requires a unique device index.")
    if len(interfaces) > 1 and any(str(one.get("AssociatePublicIpAddress")).lower() == "true" for one in interfaces):
        raise Refused("InvalidParameterCombination", "The associatePublicIPAddress parameter cannot be specified when "
                      "launching with multiple network interfaces.")  # fmt: skip


def on_first_card(interfaces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What moto may attach by itself."""
    return [one for one in interfaces if not card_of(one)]


def attach(instance: Instance, interfaces: list[dict[str, Any]]) -> None:
    """The types of those on the first card, and the ones on further cards."""
    for asked in on_first_card(interfaces):
        if existing := instance.nics.get(int(asked.get("DeviceIndex") or 0)):
            existing.interface_type = kind_of(asked)
    for asked in interfaces:
        if card_of(asked):
            instance.nics[1000 * card_of(asked) + int(asked["DeviceIndex"])] = made(instance, asked)


def made(instance: Instance, asked: dict[str, Any]) -> NetworkInterface:
    device = int(asked["DeviceIndex"])
    interface = instance.ec2_backend.create_network_interface(
        asked.get("SubnetId") or instance.subnet_id, None, device_index=device,
        group_ids=asked.get("Groups") or asked.get("SecurityGroupId") or [],
        delete_on_termination=str(asked.get("DeleteOnTermination")).lower() == "true",
    )  # fmt: skip
    kept = dict(instance.nics)
    instance.attach_eni(interface, device)
    instance.nics = kept
    interface.interface_type, interface.sandbox_card = kind_of(asked), card_of(asked)
    return interface


def with_card(original: Any, this: Attachment, eni: NetworkInterface) -> None:
    original(this, eni)
    this.network_card_index = getattr(eni, "sandbox_card", 0)
