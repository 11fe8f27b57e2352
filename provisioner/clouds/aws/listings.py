"""Answers of EC2's listings, and the kinds whose listing is not their label's alone."""

from typing import Any

from botocore.exceptions import ClientError

from provisioner.catalog import labels
from provisioner.clouds.aws.errors import code_of, is_gone, translated
from provisioner.clouds.aws.estate import THERE
from provisioner.clouds.aws.sessions import rows


def state_of(item: dict[str, Any]) -> str:
    """Each kind says it in a member of its own."""
    if "PublicIp" in item:
        return "in-use" if item.get("AssociationId") else "unused"
    held: Any = item.get("State") or item.get("Status") or item.get("FleetState") or ""
    return held if isinstance(held, str) else held.get("Name", "")


def machines_of(_: Any, reservations: list[Any]) -> list[Any]:
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def still_there(ec2: Any, machines: list[str]) -> list[str]:
    """Those of them that are there."""
    return [one["InstanceId"] for one in there(ec2, "instance-id", machines)]


def with_use(ec2: Any, groups: list[Any]) -> list[Any]:
    """Placement groups, in-use where a machine is in them; they do not tell it themselves."""
    held = {
        one["Placement"]["GroupName"] for one in there(ec2, "placement-group-name", [g["GroupName"] for g in groups])
    }
    return [group | ({"State": "in-use"} if group["GroupName"] in held else {}) for group in groups]


def there(ec2: Any, member: str, values: list[str]) -> list[Any]:
    """The machines with one of these."""
    filters = [{"Name": member, "Values": values}, {"Name": "instance-state-name", "Values": list(THERE)}]
    return machines_of(ec2, rows(ec2, "describe_instances", "Reservations", Filters=filters)) if values else []


def fleets(ec2: Any, job: str) -> list[Any]:
    """DescribeFleets lists instant fleets only by id, so their labels are asked first."""
    key, value = (labels.JOB, job) if job else (labels.MANAGED, labels.MANAGED_VALUE)
    wanted = {"resource-type": "fleet", "key": key, "value": value}
    marks = rows(ec2, "describe_tags", "Tags", Filters=[{"Name": n, "Values": [v]} for n, v in wanted.items()])
    return [fleet for mark in marks for fleet in fleet_of(ec2, mark["ResourceId"])]


def fleet_of(ec2: Any, id: str) -> list[Any]:
    """Labels outlive their fleet for a while: none then."""
    with translated("ec2:DescribeFleets"):
        try:
            return ec2.describe_fleets(FleetIds=[id])["Fleets"]
        except ClientError as error:
            if not is_gone(code_of(error)):
                raise
            return []
