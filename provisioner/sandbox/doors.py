"""Instance Connect endpoints, which moto lacks: ssh to private machines without an open port or a public address."""

from dataclasses import dataclass
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from provisioner.sandbox.labels import Tagged
from provisioner.sandbox.wire import AwsError, Call, labels_in, listed, tag_set, xml_answer


@dataclass
class Door(Tagged):
    """One endpoint; a network has one at most."""

    KIND, PREFIX = "instance-connect-endpoint", "eice"

    network: str
    subnet: str
    zone: str
    groups: tuple[str, ...]

    def xml(self) -> str:
        groups = "".join(f"<item>{one}</item>" for one in self.groups)
        return (f"<instanceConnectEndpointId>{self.id}</instanceConnectEndpointId><vpcId>{self.network}</vpcId>"
                f"<subnetId>{self.subnet}</subnetId><availabilityZone>{self.zone}</availabilityZone>"
                f"<state>create-complete</state><preserveClientIp>false</preserveClientIp>"
                f"<securityGroupIdSet>{groups}</securityGroupIdSet>{tag_set(self.labels)}")  # fmt: skip


class Doors:
    """By region and id."""

    def __init__(self) -> None:
        self._doors: dict[tuple[str, str], Door] = {}

    def answer(self, call: Call) -> Any:
        return {"CreateInstanceConnectEndpoint": self.create, "DescribeInstanceConnectEndpoints": self.describe,
                "DeleteInstanceConnectEndpoint": self.delete}[call.operation](call)  # fmt: skip

    def create(self, call: Call) -> Any:
        asked = call.params.get("SubnetId", "")
        by_zone = ec2_backends[DEFAULT_ACCOUNT_ID][call.region].subnets.values()
        subnet = next((here[asked] for here in by_zone if asked in here), None)
        if subnet is None:
            return AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{asked}' does not exist")
        if any(door.network == subnet.vpc_id for door in self._doors.values()):
            return AwsError(
                "InstanceConnectEndpointLimitExceeded", f"{subnet.vpc_id} has an EC2 Instance Connect Endpoint already."
            )
        groups = tuple(listed(call, "SecurityGroupId"))
        door = Door(call.region, subnet.vpc_id, asked, subnet.availability_zone, groups)
        self._doors[call.region, door.id] = door
        door.labels.update(labels_in(call))
        return xml_answer(call, f"<instanceConnectEndpoint>{door.xml()}</instanceConnectEndpoint>")

    def describe(self, call: Call) -> Any:
        here = {id: door for (region, id), door in self._doors.items() if region == call.region}
        names = listed(call, "InstanceConnectEndpointId")
        if missing := sorted(set(names) - set(here)):
            return unknown(missing[0])
        items = "".join(f"<item>{here[one].xml()}</item>" for one in names or here)
        return xml_answer(call, f"<instanceConnectEndpointSet>{items}</instanceConnectEndpointSet>")

    def delete(self, call: Call) -> Any:
        name = call.params.get("InstanceConnectEndpointId", "")
        door = self._doors.pop((call.region, name), None)
        if door is None:
            return unknown(name)
        answer = xml_answer(call, f"<instanceConnectEndpoint>{door.xml()}</instanceConnectEndpoint>")
        door.forget_labels()
        return answer


def unknown(name: str) -> AwsError:
    return AwsError("InvalidInstanceConnectEndpointId.NotFound", f"The endpoint '{name}' does not exist.")
