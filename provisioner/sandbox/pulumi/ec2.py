"""EC2's resource types, as pulumi-aws names and shapes them."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind, gone, tags_of, untagged, without_error
from provisioner.sandbox.pulumi.wire import given, pascal, unknown

ACCOUNT = "123456789012"
PROFILE_TRIES, PROFILE_PAUSE = 60, 0.5
ENDED = ("terminated", "shutting-down")


def specification(kind: str, inputs: Inputs) -> list[dict[str, Any]] | None:
    return [{"ResourceType": kind, "Tags": tags_of(inputs)}] if inputs.get("tags") else None


def retagged(clients: Clients, identity: str, old: Inputs, new: Inputs) -> None:
    """Tags change in place, on every type."""
    ec2 = clients("ec2")
    if lost := set(old.get("tags") or {}) - set(new.get("tags") or {}):
        ec2.delete_tags(Resources=[identity], Tags=[{"Key": key} for key in sorted(lost)])
    if new.get("tags"):
        ec2.create_tags(Resources=[identity], Tags=tags_of(new))


def made(
    kind: str,
    name: str,
    arguments: Callable[[Inputs], dict[str, Any]],
    *,
    computed: tuple[str, ...] = ("arn",),
    parameter: str = "",
    answer: Callable[[dict[str, Any]], Inputs] = lambda _: {},
    plural: str = "",
    shows: Callable[[dict[str, Any]], Inputs] = lambda _: {},
    **more: Any,
) -> Kind:
    """A type whose calls are create_NAME, describe_NAMEs and delete_NAME; `answer` reads outputs off a
    description, `shows` inputs.
    """
    word = "".join(part.capitalize() for part in name.split("_"))
    identity = parameter or f"{word}Id"
    several, describe = f"{word}s", f"describe_{plural or name + 's'}"

    def outputs(found: dict[str, Any]) -> Inputs:
        tags = untagged(found.get("Tags"))
        arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:{kind}/{found[identity]}"
        return {"arn": arn, "tags": tags, "tagsAll": tags} | answer(found)

    def create(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
        wanted = given(arguments(inputs) | {"TagSpecifications": specification(kind, inputs)})
        found = getattr(clients("ec2"), f"create_{name}")(**wanted)[word]
        return found[identity], outputs({"Tags": tags_of(inputs)} | found)

    def described(clients: Clients, one: str) -> dict[str, Any] | None:
        found = gone(lambda: getattr(clients("ec2"), describe)(**{f"{identity}s": [one]})[several])
        return found[0] if found else None

    def read(clients: Clients, one: str, _: Inputs) -> Inputs | None:
        return outputs(found) if (found := described(clients, one)) else None

    def imported(clients: Clients, one: str) -> Inputs | None:
        return {"tags": untagged(found.get("Tags"))} | shows(found) if (found := described(clients, one)) else None

    def delete(clients: Clients, one: str, _: Inputs) -> None:
        without_error(lambda: getattr(clients("ec2"), f"delete_{name}")(**{identity: one}))

    return Kind(
        create=create, read=read, delete=delete, update=retagged, computed=computed, imported=imported, **more
    )  # fmt: skip


# machines ---------------------------------------------------------------------------------------------------------


def create_instance(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    market, template = inputs.get("instanceMarketOptions") or {}, inputs.get("launchTemplate") or {}
    wanted = {
        "MinCount": 1, "MaxCount": 1, "ImageId": inputs.get("ami"), "InstanceType": inputs.get("instanceType"),
        "SubnetId": inputs.get("subnetId"), "SecurityGroupIds": inputs.get("vpcSecurityGroupIds"),
        "UserData": inputs.get("userData"), "MetadataOptions": pascal(inputs.get("metadataOptions")),
        "IamInstanceProfile": given({"Name": inputs.get("iamInstanceProfile")}),
        "InstanceMarketOptions": given(
            {"MarketType": market.get("marketType"), "SpotOptions": pascal(market.get("spotOptions"))}
        ),
        "InstanceInitiatedShutdownBehavior": inputs.get("instanceInitiatedShutdownBehavior"),
        "LaunchTemplate": given({"LaunchTemplateId": template.get("id"), "Version": template.get("version")}),
        "Placement": given(
            {"AvailabilityZone": inputs.get("availabilityZone"), "GroupName": inputs.get("placementGroup")}
        ),
        "TagSpecifications": [
            *(specification("instance", inputs) or ()), *(specification("volume", of_volumes(inputs)) or ())
        ],
    }  # fmt: skip
    launched = until_profile_is_known(lambda: clients("ec2").run_instances(**given(wanted)))["Instances"][0]
    clients("ec2").get_waiter("instance_running").wait(
        InstanceIds=[launched["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return launched["InstanceId"], read_instance(clients, launched["InstanceId"], {}) or {}


def of_volumes(inputs: Inputs) -> Inputs:
    """The tags of a machine's disks are an input of the machine."""
    return {"tags": inputs.get("volumeTags")}


def update_instance(clients: Clients, identity: str, old: Inputs, new: Inputs) -> None:
    retagged(clients, identity, old, new)
    for volume in volumes_of(clients, identity):
        retagged(clients, volume["VolumeId"], of_volumes(old), of_volumes(new))


def volumes_of(clients: Clients, instance: str) -> list[dict[str, Any]]:
    mine = [{"Name": "attachment.instance-id", "Values": [instance]}]
    return clients("ec2").describe_volumes(Filters=mine)["Volumes"]


def until_profile_is_known(launch: Callable[[], Any]) -> Any:
    """The real provider waits for IAM too: a profile of a moment ago is unknown to EC2."""
    for _ in range(PROFILE_TRIES):
        try:
            return launch()
        except ClientError as error:
            if "Invalid IAM Instance Profile" not in str(error):
                raise
            time.sleep(PROFILE_PAUSE)
    return launch()


def instance_outputs(found: dict[str, Any]) -> Inputs:
    tags = untagged(found.get("Tags"))
    return {
        "arn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{found['InstanceId']}", "instanceType": found["InstanceType"],
        "privateIp": found.get("PrivateIpAddress", ""), "publicIp": found.get("PublicIpAddress", ""),
        "availabilityZone": found["Placement"]["AvailabilityZone"], "subnetId": found.get("SubnetId", ""),
        "tags": tags, "tagsAll": tags,
    } | given({
        "instanceLifecycle": found.get("InstanceLifecycle"),
        "capacityReservationSpecification": targeting(found.get("CapacityReservationId")),
    })  # fmt: skip


def targeting(reservation: str | None) -> Inputs:
    return {"capacityReservationTarget": {"capacityReservationId": reservation}} if reservation else {}


def read_instance(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("ec2").describe_instances(InstanceIds=[identity])["Reservations"])
    instance = found[0]["Instances"][0] if found else None
    if instance is None or instance["State"]["Name"] in ENDED:
        return None
    return instance_outputs(instance)


def instance_refusals(inputs: Inputs) -> list[tuple[str, str]]:
    """What the real provider refuses in Check."""
    if "instanceType" not in inputs and "launchTemplate" not in inputs:
        return [("instanceType", 'one of "instanceType" and "launchTemplate" must be specified')]
    market = inputs.get("instanceMarketOptions") or {}
    if not unknown(market) and market.get("marketType") not in (None, "spot", "capacity-block"):
        return [("instanceMarketOptions", f"market type {market['marketType']!r} is not spot or capacity-block")]
    return []


def delete_instance(clients: Clients, identity: str, _: Inputs) -> None:
    without_error(lambda: clients("ec2").terminate_instances(InstanceIds=[identity]))


# launch templates -------------------------------------------------------------------------------------------------


def template_data(inputs: Inputs) -> dict[str, Any]:
    """LaunchTemplateData of RequestLaunchTemplateData's shape."""
    interfaces = [interface(one) for one in inputs.get("networkInterfaces") or []]
    return given({
        "ImageId": inputs.get("imageId"), "InstanceType": inputs.get("instanceType"),
        "UserData": inputs.get("userData"),
        "MetadataOptions": pascal(inputs.get("metadataOptions")), "NetworkInterfaces": interfaces,
        "IamInstanceProfile": pascal(inputs.get("iamInstanceProfile")), "Placement": pascal(inputs.get("placement")),
        "InstanceMarketOptions": pascal(inputs.get("instanceMarketOptions")),
        "CapacityReservationSpecification": pascal(inputs.get("capacityReservationSpecification")),
        "InstanceInitiatedShutdownBehavior": inputs.get("instanceInitiatedShutdownBehavior"),
        "BlockDeviceMappings": [block(one) for one in inputs.get("blockDeviceMappings") or []],
        "TagSpecifications": [
            {"ResourceType": one["resourceType"], "Tags": tags_of(one)} for one in inputs.get("tagSpecifications") or []
        ],
    })  # fmt: skip


def interface(inputs: Inputs) -> dict[str, Any]:
    """Pulumi writes booleans of this block as text, and groups under another name."""
    renamed = dict(inputs) | {"groups": inputs.get("securityGroups")}
    renamed.pop("securityGroups", None)
    truths = {name: renamed[name] in (True, "true") for name in BOOLEANS if renamed.get(name) is not None}
    return pascal(given(renamed | truths))


BOOLEANS = ("associatePublicIpAddress", "deleteOnTermination")


def block(inputs: Inputs) -> dict[str, Any]:
    ebs = dict(inputs.get("ebs") or {})
    truths = {name: ebs[name] in (True, "true") for name in ("encrypted", "deleteOnTermination") if name in ebs}
    return {"DeviceName": inputs["deviceName"], "Ebs": pascal(ebs | truths)}


def create_template(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    found = clients("ec2").create_launch_template(**given({
        "LaunchTemplateName": inputs["name"], "LaunchTemplateData": template_data(inputs),
        "TagSpecifications": specification("launch-template", inputs),
    }))["LaunchTemplate"]  # fmt: skip
    return found["LaunchTemplateId"], template_outputs({"Tags": tags_of(inputs)} | found)


def template_outputs(found: dict[str, Any]) -> Inputs:
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:launch-template/{found['LaunchTemplateId']}"
    tags = untagged(found.get("Tags"))
    return {"arn": arn, "latestVersion": found["LatestVersionNumber"], "tags": tags, "tagsAll": tags}


def read_template(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    ec2 = clients("ec2")
    found = gone(lambda: ec2.describe_launch_templates(LaunchTemplateIds=[identity])["LaunchTemplates"])
    return template_outputs(found[0]) if found else None


def update_template(clients: Clients, identity: str, old: Inputs, new: Inputs) -> None:
    """A changed template is a new version of it."""
    if template_data(old) != template_data(new):
        clients("ec2").create_launch_template_version(LaunchTemplateId=identity, LaunchTemplateData=template_data(new))
    retagged(clients, identity, old, new)


def delete_template(clients: Clients, identity: str, _: Inputs) -> None:
    without_error(lambda: clients("ec2").delete_launch_template(LaunchTemplateId=identity))


# networks ---------------------------------------------------------------------------------------------------------


def create_group(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    ec2 = clients("ec2")
    identity = ec2.create_security_group(**given({
        "GroupName": inputs["name"], "Description": inputs.get("description") or "Managed by Pulumi",
        "VpcId": inputs.get("vpcId"), "TagSpecifications": specification("security-group", inputs),
    }))["GroupId"]  # fmt: skip
    everything = ec2.describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]["IpPermissionsEgress"]
    ec2.revoke_security_group_egress(GroupId=identity, IpPermissions=everything)  # the real provider removes it too
    for direction, authorise in (
        ("ingress", ec2.authorize_security_group_ingress), ("egress", ec2.authorize_security_group_egress),
    ):  # fmt: skip
        if rules := [permission(one, identity) for one in inputs.get(direction) or []]:
            authorise(GroupId=identity, IpPermissions=rules)
    return identity, group_outputs(identity, inputs.get("tags") or {})


def permission(rule: Inputs, group: str) -> dict[str, Any]:
    """One rule of a security group; `self` is the group itself."""
    own = [{"GroupId": group}] if rule.get("self") else []
    return given({
        "IpProtocol": str(rule["protocol"]), "FromPort": rule["fromPort"], "ToPort": rule["toPort"],
        "IpRanges": [{"CidrIp": cidr} for cidr in rule.get("cidrBlocks") or []],
        "Ipv6Ranges": [{"CidrIpv6": cidr} for cidr in rule.get("ipv6CidrBlocks") or []],
        "UserIdGroupPairs": [*own, *({"GroupId": other} for other in rule.get("securityGroups") or [])],
    })  # fmt: skip


def group_outputs(identity: str, tags: dict[str, str]) -> Inputs:
    return {"arn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/{identity}", "tags": tags, "tagsAll": tags}


def read_group(clients: Clients, identity: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("ec2").describe_security_groups(GroupIds=[identity])["SecurityGroups"])
    return group_outputs(identity, untagged(found[0].get("Tags"))) if found else None


def imported_group(clients: Clients, identity: str) -> Inputs | None:
    found = gone(lambda: clients("ec2").describe_security_groups(GroupIds=[identity])["SecurityGroups"])
    if not found:
        return None
    group = found[0]
    return {
        "name": group["GroupName"], "description": group["Description"], "vpcId": group["VpcId"],
        "ingress": rules_of(group["IpPermissions"], identity),
        "egress": rules_of(group["IpPermissionsEgress"], identity),
        "tags": untagged(group.get("Tags")),
    }  # fmt: skip


def rules_of(permissions: list[dict[str, Any]], group: str) -> list[Inputs]:
    """Rules of one protocol and one range of ports are one, as the real provider has it."""
    merged: dict[tuple[Any, ...], Inputs] = {}
    for one in permissions:
        ports = (0, 0) if one["IpProtocol"] == "-1" else (one["FromPort"], one["ToPort"])
        rule = {"protocol": one["IpProtocol"], "fromPort": ports[0], "toPort": ports[1]}
        held = merged.setdefault((one["IpProtocol"], *ports), rule)
        for name, values in peers(one, group).items():
            held[name] = values if isinstance(values, bool) else [*held.get(name, []), *values]
    return list(merged.values())


def peers(one: dict[str, Any], group: str) -> Inputs:
    others = [pair["GroupId"] for pair in one.get("UserIdGroupPairs", [])]
    return given({
        "cidrBlocks": [each["CidrIp"] for each in one.get("IpRanges", [])],
        "ipv6CidrBlocks": [each["CidrIpv6"] for each in one.get("Ipv6Ranges", [])],
        "securityGroups": [other for other in others if other != group], "self": group in others or None,
    })  # fmt: skip


def delete_group(clients: Clients, identity: str, _: Inputs) -> None:
    without_error(lambda: clients("ec2").delete_security_group(GroupId=identity))


def create_placement(clients: Clients, inputs: Inputs) -> tuple[str, Inputs]:
    clients("ec2").create_placement_group(**given({
        "GroupName": inputs["name"], "Strategy": inputs["strategy"],
        "TagSpecifications": specification("placement-group", inputs),
    }))  # fmt: skip
    return inputs["name"], read_placement(clients, inputs["name"], inputs) or {}


def read_placement(clients: Clients, name: str, _: Inputs) -> Inputs | None:
    found = gone(lambda: clients("ec2").describe_placement_groups(GroupNames=[name])["PlacementGroups"])
    if not found:
        return None
    tags = untagged(found[0].get("Tags"))
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:placement-group/{name}"
    return {"arn": arn, "placementGroupId": found[0]["GroupId"], "tags": tags, "tagsAll": tags}


def update_placement(clients: Clients, name: str, old: Inputs, new: Inputs) -> None:
    """By its id, which only tags are by."""
    held = read_placement(clients, name, old) or {}
    retagged(clients, held["placementGroupId"], old, new)


def delete_placement(clients: Clients, name: str, _: Inputs) -> None:
    without_error(lambda: clients("ec2").delete_placement_group(GroupName=name))


KINDS: dict[str, Kind] = {
    "aws:ec2/instance:Instance": Kind(
        create=create_instance, read=read_instance, delete=delete_instance, update=update_instance,
        in_place=("tags", "volumeTags"),
        refusals=instance_refusals,
        computed=("arn", "privateIp", "publicIp", "availabilityZone", "subnetId", "instanceLifecycle"),
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Kind(
        create=create_template, read=read_template, delete=delete_template, update=update_template,
        replaces=("name",), computed=("arn", "latestVersion"), anew=("latestVersion",), autoname="name",
    ),
    "aws:ec2/securityGroup:SecurityGroup": Kind(
        create=create_group, read=read_group, delete=delete_group, update=retagged, autoname="name",
        imported=imported_group,
    ),
    "aws:ec2/placementGroup:PlacementGroup": Kind(
        create=create_placement, read=read_placement, delete=delete_placement, update=update_placement, autoname="name",
        required=("strategy",), computed=("arn", "placementGroupId"),
    ),
    "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint": made(
        "instance-connect-endpoint", "instance_connect_endpoint", lambda i: {
            "SubnetId": i["subnetId"], "SecurityGroupIds": i.get("securityGroupIds"),
            "PreserveClientIp": i.get("preserveClientIp"),
        },
        required=("subnetId",), computed=("arn", "vpcId", "availabilityZone", "dnsName"),
        answer=lambda found: {"vpcId": found["VpcId"], "availabilityZone": found["AvailabilityZone"]},
    ),
    "aws:ec2/vpc:Vpc": made(
        "vpc", "vpc", lambda i: {
            "CidrBlock": i.get("cidrBlock"), "AmazonProvidedIpv6CidrBlock": i.get("assignGeneratedIpv6CidrBlock"),
        },
        computed=("arn", "ipv6CidrBlock", "defaultSecurityGroupId", "mainRouteTableId"),
        answer=lambda found: {"ipv6CidrBlock": ipv6_of(found)},
        shows=lambda found: {
            "cidrBlock": found["CidrBlock"], "assignGeneratedIpv6CidrBlock": bool(ipv6_of(found)),
        },
    ),
    "aws:ec2/subnet:Subnet": made(
        "subnet", "subnet", lambda i: {
            "VpcId": i["vpcId"], "CidrBlock": i.get("cidrBlock"), "AvailabilityZone": i.get("availabilityZone"),
            "Ipv6CidrBlock": i.get("ipv6CidrBlock"),
        },
        required=("vpcId",), computed=("arn", "availabilityZone"),
        answer=lambda found: {"availabilityZone": found["AvailabilityZone"]},
        shows=lambda found: {
            "vpcId": found["VpcId"], "cidrBlock": found["CidrBlock"], "availabilityZone": found["AvailabilityZone"],
            "ipv6CidrBlock": ipv6_of(found),
        },
    ),
}  # fmt: skip


def ipv6_of(found: dict[str, Any]) -> str:
    """Of a network or a subnet."""
    return next((one["Ipv6CidrBlock"] for one in found.get("Ipv6CidrBlockAssociationSet", [])), "")
