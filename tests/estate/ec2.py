"""EC2's part: pages of a thousand, and a batch that is refused whole for one machine in it."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.session

from tests.estate.tables import Estate, id_of, number_of

PAGE = 1000
Params = Mapping[str, str]


class Refusal(Exception):
    """An error code of AWS and its message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


def answer(estate: Estate, operation: str, params: Params, region: str) -> str:
    """The inside of the answer; a listing of anything but machines is empty. Raises Refusal."""
    acts = {"StopInstances": stop, "TerminateInstances": terminate, "CreateTags": tag, "DeleteTags": untag,
            "CancelSpotInstanceRequests": cancel, "TerminateInstanceInAutoScalingGroup": scale_in}  # fmt: skip
    if operation == "DescribeRegions":
        rows = "".join(f"<item><regionName>{one}</regionName></item>" for one in estate.regions)
        return f"<regionInfo>{rows}</regionInfo>"
    if region in estate.empty:
        return empty(operation)
    if operation == "DescribeTags":
        return labelled(estate, params)
    if operation == "DescribeSpotInstanceRequests":
        return requests(estate)
    if operation == "DescribeInstances":
        return described(estate, params)
    return acts[operation](estate, params) if operation in acts else empty(operation)


@cache
def empty(operation: str) -> str:
    """The lists of an answer, with nothing in them, as EC2's own model names them."""
    model = botocore.session.get_session().get_service_model("ec2").operation_model(operation).output_shape
    members: dict[str, Any] = model.members if model else {}
    lists = [shape.serialization["name"] for shape in members.values() if shape.type_name == "list"]
    return "".join(f"<{name}/>" for name in lists)


def listed(params: Params, name: str) -> list[str]:
    """The members of a list parameter, such as InstanceId.1."""
    return [value for key, value in params.items() if key.startswith(f"{name}.") and key.count(".") == 1]


def labelled(estate: Estate, params: Params) -> str:
    """Machines with that label and value; no fleet has one."""
    wanted = {
        params[f"Filter.{n}.Name"]: params[f"Filter.{n}.Value.1"] for n in (1, 2, 3) if f"Filter.{n}.Name" in params
    }
    machines = estate.ids() if "resource-type" not in wanted else []
    held = [one for one in machines if estate.labels_of(one).get(wanted["key"]) == wanted["value"]]
    rows = "".join(f"<item><resourceId>{one}</resourceId></item>" for one in held[:5])
    return f"<tagSet>{rows}</tagSet>"


def described(estate: Estate, params: Params) -> str:
    """By id, or a page of all that are not terminated."""
    wanted = listed(params, "InstanceId")
    if wanted:
        known(estate, wanted)
        return reservations(estate, wanted)
    start, size = int(params.get("NextToken", "0")), min(int(params.get("MaxResults", PAGE)), PAGE)
    ids = [id_of(number) for number in range(start, min(start + size, estate.machines))]
    there = [machine for machine in ids if estate.state_of(machine) != "terminated"]
    more = f"<nextToken>{start + size}</nextToken>" if start + size < estate.machines else ""
    return reservations(estate, there) + more


def known(estate: Estate, ids: list[str]) -> None:
    if lost := [machine for machine in ids if not estate.knows(machine)]:
        raise Refusal("InvalidInstanceID.NotFound", f"The instance IDs '{', '.join(lost)}' do not exist")


def stop(estate: Estate, params: Params) -> str:
    ids = listed(params, "InstanceId")
    known(estate, ids)
    if spot := [machine for machine in ids if number_of(machine) in estate.one_time]:
        raise Refusal("UnsupportedOperation", f"You can't stop the Spot Instance '{spot[0]}' because it is associated "
                      "with a one-time Spot Instance request.")  # fmt: skip
    estate.acts += [("stop", one) for one in ids]
    estate.state.update(dict.fromkeys(ids, "stopped"))
    return ""


def terminate(estate: Estate, params: Params) -> str:
    ids = listed(params, "InstanceId")
    known(estate, ids)
    if held := [machine for machine in ids if number_of(machine) in estate.protected]:
        raise Refusal("OperationNotPermitted", f"The instance '{held[0]}' may not be terminated. Modify its "
                      "'disableApiTermination' instance attribute and try again.")  # fmt: skip
    estate.acts += [("end", one) for one in ids]
    estate.state.update(dict.fromkeys(ids, "terminated"))
    return ""


def scale_in(estate: Estate, params: Params) -> str:
    machine = params["InstanceId"]
    if not estate.knows(machine) or number_of(machine) in estate.detached:
        raise Refusal(
            "ValidationError", f"Instance Id not found - No managed instance found for instance ID: {machine}"
        )
    if number_of(machine) in estate.needed or params["ShouldDecrementDesiredCapacity"] != "true":
        raise Refusal("ValidationError", "Currently, desiredSize equals minSize (1). Terminating instance without "
                      "replacement will violate group's min size constraint.")  # fmt: skip
    estate.acts.append(("scale-in", machine))
    estate.state[machine] = "terminated"
    return "<TerminateInstanceInAutoScalingGroupResult/>"


def request_of(number: int) -> str:
    return f"sir-{number:08x}"


def requests(estate: Estate) -> str:
    """The persistent ones."""
    rows = "".join(
        f"<item><spotInstanceRequestId>{request_of(number)}</spotInstanceRequestId><type>persistent</type>"
        f"<state>active</state></item>"
        for number in estate.persistent
        if ("cancel", id_of(number)) not in estate.acts
    )
    return f"<spotInstanceRequestSet>{rows}</spotInstanceRequestSet>"


def cancel(estate: Estate, params: Params) -> str:
    estate.acts += [
        ("cancel", id_of(int(one.removeprefix("sir-"), 16))) for one in listed(params, "SpotInstanceRequestId")
    ]
    ended = sum(state == "terminated" for state in estate.state.values())
    estate.cancelled += [f"{one} after {ended} ends" for one in listed(params, "SpotInstanceRequestId")]
    return ""


def tag(estate: Estate, params: Params) -> str:
    ids = listed(params, "ResourceId")
    known(estate, ids)
    estate.acts += [("mark", one) for one in ids]
    for machine in ids:
        estate.labels[machine] = dict(estate.labels_of(machine)) | {params["Tag.1.Key"]: params["Tag.1.Value"]}
    return ""


def untag(estate: Estate, params: Params) -> str:
    ids = listed(params, "ResourceId")
    known(estate, ids)
    estate.acts += [("unmark", one) for one in ids]
    for machine in ids:
        estate.labels[machine] = {k: v for k, v in estate.labels_of(machine).items() if k != params["Tag.1.Key"]}
    return ""


def reservations(estate: Estate, ids: list[str]) -> str:
    held = "".join(
        f"<item><reservationId>r-{machine[2:]}</reservationId><ownerId>123456789012</ownerId><groupSet/>"
        f"<instancesSet>{instance(estate, machine)}</instancesSet></item>"
        for machine in ids
    )
    return f"<reservationSet>{held}</reservationSet>"


def instance(estate: Estate, machine: str) -> str:
    """As long as EC2's own: a client pays for what it parses."""
    n = number_of(machine)
    tags = "".join(
        f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in estate.labels_of(machine).items()
    )
    spot = "<instanceLifecycle>spot</instanceLifecycle>" if n in estate.one_time | estate.persistent else ""
    if n in estate.persistent:
        spot += f"<spotInstanceRequestId>{request_of(n)}</spotInstanceRequestId>"
    return SHAPE.format(
        machine=machine, type=estate.instance_type, state=estate.state_of(machine), spot=spot, tags=tags,
        short=machine[2:],        at=f"{estate.launched_at:%Y-%m-%dT%H:%M:%S}.000Z",
        address=f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
    )  # fmt: skip


def body(operation: str, inside: str) -> str:
    return (
        f'<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        f"{inside}</{operation}Response>"
    )


def error(refusal: Refusal, operation: str) -> str:
    said = f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
    if operation.startswith(("TerminateInstanceIn", "GetCaller", "List", "GetPolicy", "Publish")):
        return f"<ErrorResponse><Error>{said}</Error></ErrorResponse>"
    return f"<Response><Errors><Error>{said}</Error></Errors><RequestID>r</RequestID></Response>"


SHAPE = (
    "<item><instanceId>{machine}</instanceId><imageId>ami-0abcdef1234567890</imageId><instanceState><code>16</code>"
    "<name>{state}</name></instanceState><privateDnsName>ip.ec2.internal</privateDnsName><dnsName/><reason/>"
    "<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>{type}</instanceType><launchTime>{at}</launchTime>"
    "<placement><availabilityZone>us-east-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement>"
    "<monitoring><state>disabled</state></monitoring><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>"
    "<privateIpAddress>{address}</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item>"
    "<groupId>sg-1</groupId><groupName>accelctl</groupName></item></groupSet><architecture>x86_64</architecture>"
    "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping><item>"
    "<deviceName>/dev/sda1</deviceName><ebs><volumeId>vol-{short}</volumeId><status>attached</status>"
    "<attachTime>{at}</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>"
    "<virtualizationType>hvm</virtualizationType><clientToken>{short}</clientToken><tagSet>{tags}</tagSet>"
    "<hypervisor>xen</hypervisor><networkInterfaceSet><item><networkInterfaceId>eni-{short}</networkInterfaceId>"
    "<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><status>in-use</status><macAddress>02:00:00:00:00:01</macAddress>"
    "<privateIpAddress>{address}</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item>"
    "<groupId>sg-1</groupId><groupName>accelctl</groupName></item></groupSet><attachment><attachmentId>a-{short}"
    "</attachmentId><deviceIndex>0</deviceIndex><status>attached</status><attachTime>{at}</attachTime>"
    "<deleteOnTermination>true</deleteOnTermination></attachment></item></networkInterfaceSet><ebsOptimized>true"
    "</ebsOptimized>{spot}<cpuOptions><coreCount>2</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
    "<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>"
    "</capacityReservationSpecification><metadataOptions><state>applied</state><httpTokens>required</httpTokens>"
    "</metadataOptions></item>"
)
