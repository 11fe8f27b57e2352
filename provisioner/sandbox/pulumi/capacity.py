"""Reserved capacity's resource types, as pulumi-aws names and shapes them."""

from datetime import datetime
from typing import Any

from provisioner.sandbox.pulumi.ec2 import retagged, specification
from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, untagged, without_error
from provisioner.sandbox.pulumi.wait import until
from provisioner.sandbox.pulumi.wire import given

GONE = ("cancelled", "expired")
"""What the real provider takes for gone."""


def described(clients: Clients, identity: str) -> dict[str, Any] | None:
    found = gone(lambda: clients("ec2").describe_capacity_reservations(CapacityReservationIds=[identity]))
    return found["CapacityReservations"][0] if found else None


def read(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    found = described(clients, identity)
    return outputs(found) if found and found["State"] not in GONE else None


def outputs(found: dict[str, Any]) -> Inputs:
    tags = untagged(found.get("Tags"))
    return given({
        "arn": found["CapacityReservationArn"], "availabilityZone": found["AvailabilityZone"],
        "createdDate": stamp(found["CreateDate"]), "startDate": stamp(found["StartDate"]),
        "endDate": stamp(found["EndDate"]) if "EndDate" in found else None, "endDateType": found["EndDateType"],
        "instanceCount": found["TotalInstanceCount"], "instanceType": found["InstanceType"],
        "reservationType": found["ReservationType"], "tenancy": found["Tenancy"],
    }) | {"tags": tags, "tagsAll": tags}  # fmt: skip


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


# blocks -----------------------------------------------------------------------------------------------------------


def purchase(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    """Buys it, and waits until it is paid for."""
    ec2 = clients("ec2")
    bought = ec2.purchase_capacity_block(**given({
        "CapacityBlockOfferingId": inputs["capacityBlockOfferingId"], "InstancePlatform": inputs["instancePlatform"],
        "TagSpecifications": specification("capacity-reservation", inputs),
    }))["CapacityReservation"]["CapacityReservationId"]  # fmt: skip
    paid = ("scheduled", "active")
    until(lambda: (described(clients, bought) or {}).get("State") in paid, f"{bought}: it is not paid for")
    return bought, read(clients, bought, inputs) or {}


def leave(clients: Clients, identity: str, _: Inputs) -> None:
    """Nobody gives a block back: deleting forgets it."""


def block(clients: Clients, asked: Inputs) -> Inputs:
    """The data source."""
    found = clients("ec2").describe_capacity_reservations(CapacityReservationIds=[asked["id"]])["CapacityReservations"]
    return outputs(found[0]) | {"id": asked["id"], "state": found[0]["State"]}


# reservations -----------------------------------------------------------------------------------------------------


def create(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("ec2").create_capacity_reservation(**given({
        "InstanceType": inputs["instanceType"], "InstancePlatform": inputs["instancePlatform"],
        "AvailabilityZone": inputs["availabilityZone"], "InstanceCount": inputs["instanceCount"],
        "InstanceMatchCriteria": inputs.get("instanceMatchCriteria"),
        "PlacementGroupArn": inputs.get("placementGroupArn"),
        "EndDateType": inputs.get("endDateType"), "EndDate": inputs.get("endDate"),
        "TagSpecifications": specification("capacity-reservation", inputs),
    }))["CapacityReservation"]  # fmt: skip
    return found["CapacityReservationId"], outputs(found)


def update(clients: Clients, identity: str, old: Inputs, new: Inputs) -> None:
    wanted = {"EndDateType": "endDateType", "EndDate": "endDate", "InstanceCount": "instanceCount"}
    if any(old.get(name) != new.get(name) for name in wanted.values()):
        asked = given({word: new.get(name) for word, name in wanted.items()})
        clients("ec2").modify_capacity_reservation(CapacityReservationId=identity, **asked)
    retagged(clients, identity, old, new)


def cancel(clients: Clients, identity: str, _: Inputs) -> None:
    """What has ended by itself is gone already."""
    if read(clients, identity, {}):
        without_error(lambda: clients("ec2").cancel_capacity_reservation(CapacityReservationId=identity))


COMPUTED = ("arn", "availabilityZone", "createdDate", "startDate", "endDate", "endDateType", "instanceCount",
            "instanceType", "reservationType", "tenancy")  # fmt: skip
KINDS: dict[str, Kind] = {
    "aws:ec2/capacityBlockReservation:CapacityBlockReservation": Kind(
        create=purchase, read=read, delete=leave, update=retagged,
        required=("capacityBlockOfferingId", "instancePlatform"), computed=COMPUTED,
    ),
    "aws:ec2/capacityReservation:CapacityReservation": Kind(
        create=create, read=read, delete=cancel, update=update,
        replaces=("availabilityZone", "instanceMatchCriteria", "instancePlatform", "instanceType", "placementGroupArn"),
        required=("availabilityZone", "instanceCount", "instancePlatform", "instanceType"), computed=("arn",),
    ),
}  # fmt: skip
FUNCTIONS = {"aws:ec2/getCapacityBlockReservation:getCapacityBlockReservation": block}
