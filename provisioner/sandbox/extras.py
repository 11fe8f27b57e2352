"""Calls that moto does not answer, or answers with nothing: console output, placement groups, ways in, quotas."""

import base64
import json
from collections.abc import Callable
from typing import Any

from provisioner.sandbox.cloud import SandboxCloud
from provisioner.sandbox.quotas import FAMILIES
from provisioner.sandbox.wire import AwsError, Call, Response, render, reply, xml_answer


def answer_extra(cloud: SandboxCloud, call: Call) -> Response | None:
    """None: moto answers."""
    answer = EXTRAS.get(call.name)
    return answer(cloud, call) if answer else None


def console_output(cloud: SandboxCloud, call: Call) -> Response | None:
    log = cloud.machines.console(call.params.get("InstanceId", ""))
    if not log.is_file():
        return None
    text = base64.b64encode(log.read_bytes()[-65536:]).decode()
    return xml_answer(
        call,
        f"<instanceId>{call.params['InstanceId']}</instanceId>"
        f"<timestamp>{cloud.clock.now():%Y-%m-%dT%H:%M:%S.000Z}</timestamp><output>{text}</output>",
    )


def kept(cloud: SandboxCloud, call: Call) -> Response:
    """By the part that keeps what moto lacks."""
    part = cloud.placement if "PlacementGroup" in call.operation else cloud.doors
    answer = part.answer(call)
    return render(call, answer, {}) if isinstance(answer, AwsError) else answer


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
    "ec2.CreatePlacementGroup": kept,
    "ec2.DescribePlacementGroups": kept,
    "ec2.DeletePlacementGroup": kept,
    "ec2.CreateInstanceConnectEndpoint": kept,
    "ec2.DescribeInstanceConnectEndpoints": kept,
    "ec2.DeleteInstanceConnectEndpoint": kept,
    "ssm.DescribeSessions": session,
    "ssm.StartSession": session,
    "ssm.TerminateSession": session,
    "servicequotas.GetServiceQuota": service_quota,
}
