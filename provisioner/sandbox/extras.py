"""Calls that moto does not answer, or answers with nothing: console output, placement, ways in, capacity, quotas."""

import base64
import json
from collections.abc import Callable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES

from provisioner.sandbox.cloud import SandboxCloud
from provisioner.sandbox.phases import LIVING
from provisioner.sandbox.quotas import FAMILIES
from provisioner.sandbox.wire import AwsError, Call, Response, render, reply, xml_answer


def answer_extra(cloud: SandboxCloud, call: Call) -> Response | None:
    """None: moto answers."""
    answer = EXTRAS.get(call.name)
    return answer(cloud, call) if answer else None


def console_output(cloud: SandboxCloud, call: Call) -> Response | None:
    """As it is now for a running Nitro machine that is asked for its latest; else as at its last change of state.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
    """
    log = cloud.machines.console(call.params.get("InstanceId", ""))
    if not log.is_file():
        return None
    latest = call.params.get("Latest") == "true"
    instance = ec2_backends[DEFAULT_ACCOUNT_ID][call.region].get_instance(call.params["InstanceId"])
    if latest and INSTANCE_TYPES.get(instance.instance_type, {}).get("Hypervisor", "xen") != "nitro":
        refusal = AwsError("UnsupportedOperation", "This instance type does not support retrieving the latest output.")
        return render(call, refusal, {})
    text = "" if instance.state in LIVING and not latest else base64.b64encode(log.read_bytes()[-65536:]).decode()
    return xml_answer(
        call,
        f"<instanceId>{call.params['InstanceId']}</instanceId>"
        f"<timestamp>{cloud.clock.now():%Y-%m-%dT%H:%M:%S.000Z}</timestamp><output>{text}</output>",
    )


def instance_status(cloud: SandboxCloud, call: Call) -> Response | None:
    """moto finds every machine well; one whose init was killed answers nothing any more."""
    asked = call.params.get("InstanceId.1", "")
    if "InstanceId.2" in call.params or not cloud.machines.is_dead(asked):
        return None
    instance = ec2_backends[DEFAULT_ACCOUNT_ID][call.region].get_instance(asked)
    if instance.state != "running":
        return None
    return xml_answer(
        call,
        f"<instanceStatusSet><item><instanceId>{asked}</instanceId>"
        f"<availabilityZone>{instance.placement.zone}</availabilityZone>"
        "<instanceState><code>16</code><name>running</name></instanceState>"
        "<systemStatus><status>ok</status></systemStatus>"
        "<instanceStatus><status>impaired</status><details><item><name>reachability</name>"
        "<status>failed</status></item></details></instanceStatus></item></instanceStatusSet>",
    )


def kept(cloud: SandboxCloud, call: Call) -> Response:
    """By the part that keeps what moto lacks."""
    answer = next(part for word, part in parts(cloud).items() if word in call.operation).answer(call)
    return render(call, answer, {}) if isinstance(answer, AwsError) else answer


def parts(cloud: SandboxCloud) -> dict[str, Any]:
    return {"PlacementGroup": cloud.placement, "InstanceConnectEndpoint": cloud.doors,
            "CapacityReservation": cloud.reservations, "CapacityBlock": cloud.blocks}  # fmt: skip


def session(cloud: SandboxCloud, call: Call) -> Response:
    return cloud.session_manager.answer(call)


def service_quota(cloud: SandboxCloud, call: Call) -> Response | None:
    asked: dict[str, Any] = json.loads(call.params.get("", "{}"))
    code = asked.get("QuotaCode", "")
    if asked.get("ServiceCode") != "ec2" or not any(code in family[1:] for family in FAMILIES):
        return None
    quota = {"ServiceCode": "ec2", "QuotaCode": code, "QuotaName": f"vCPUs of {code}", "Unit": "None",
             "Value": cloud.quotas.limit(call.region, code), "Adjustable": True}  # fmt: skip
    return reply("application/x-amz-json-1.1", json.dumps({"Quota": quota}))


EXTRAS: dict[str, Callable[[SandboxCloud, Call], Response | None]] = {
    "ec2.GetConsoleOutput": console_output,
    "ec2.DescribeInstanceStatus": instance_status,
    "ec2.CreatePlacementGroup": kept,
    "ec2.DescribePlacementGroups": kept,
    "ec2.DeletePlacementGroup": kept,
    "ec2.CreateInstanceConnectEndpoint": kept,
    "ec2.DescribeInstanceConnectEndpoints": kept,
    "ec2.DeleteInstanceConnectEndpoint": kept,
    "ec2.CreateCapacityReservation": kept,
    "ec2.DescribeCapacityReservations": kept,
    "ec2.ModifyCapacityReservation": kept,
    "ec2.CancelCapacityReservation": kept,
    "ec2.DescribeCapacityBlockOfferings": kept,
    "ec2.PurchaseCapacityBlock": kept,
    "ssm.DescribeSessions": session,
    "ssm.StartSession": session,
    "ssm.TerminateSession": session,
    "servicequotas.GetServiceQuota": service_quota,
}
