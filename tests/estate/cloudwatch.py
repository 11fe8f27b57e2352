"""The parts of CloudWatch, SSM and the tagging API: GetMetricData at most 500 queries a call, ListMetrics 500 a page.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
"""

from typing import Any

from tests.estate.ec2 import Refusal
from tests.estate.tables import Estate, id_of, number_of

QUERIES = 500
LISTED = 500
BUSY = {"nvidia_smi_utilization_gpu": 91.0, "CPUUtilization": 60.0}
MEMORY = {"nvidia_smi_memory_used": 18_000.0, "nvidia_smi_memory_total": 24_000.0}
QUIET = {"nvidia_smi_utilization_gpu": 0.0, "CPUUtilization": 1.0}
EXTRA = [{"Name": "name", "Value": "NVIDIA A10G"}, {"Name": "arch", "Value": "Ampere"}]


def answer(estate: Estate, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Raises Refusal."""
    if operation == "GetMetricData":
        return data(estate, asked)
    if operation == "DescribeSessions":
        return {"Sessions": [{"Target": id_of(number), "Status": "Connected"} for number in estate.attended]}
    if operation == "GetResources":
        return {"ResourceTagMappingList": []}
    return metrics(estate, asked) if operation == "ListMetrics" else {}


def data(estate: Estate, asked: dict[str, Any]) -> dict[str, Any]:
    queries = asked["MetricDataQueries"]
    if len(queries) > QUERIES:
        raise Refusal("ValidationError", f"{len(queries)} queries are more than {QUERIES}")
    if {id_of(number) for number in estate.unwatched} & {machine_of(one["MetricStat"]["Metric"]) for one in queries}:
        raise Refusal("AccessDenied", "not these", 403)
    period = queries[0]["MetricStat"]["Period"]
    times = list(range(int(asked["StartTime"]), int(asked["EndTime"]), period))
    return {"MetricDataResults": [result(estate, query, times) for query in queries], "Messages": []}


def result(estate: Estate, query: dict[str, Any], times: list[int]) -> dict[str, Any]:
    metric = query["MetricStat"]["Metric"]
    estate.read[machine_of(metric), metric["MetricName"]] += 1
    half = len(times) // 2 if has_stopped(estate, metric) else len(times)
    values = [value_of(estate, metric)] * half if known(estate, metric) else []
    return {"Id": query["Id"], "Label": metric["MetricName"], "Timestamps": times[: len(values)], "Values": values,
            "StatusCode": "Complete"}  # fmt: skip


def known(estate: Estate, metric: dict[str, Any]) -> bool:
    """Dimensions match exactly, or there is nothing."""
    names = {one["Name"] for one in metric["Dimensions"]}
    if metric["Namespace"] == "AWS/EC2":
        return names == {"InstanceId"}
    if metric["MetricName"] in MEMORY and number_of(machine_of(metric)) not in estate.holding:
        return False
    return metric["Namespace"] == "CWAgent" and names == {"InstanceId", "index", "name", "arch"}


def has_stopped(estate: Estate, metric: dict[str, Any]) -> bool:
    last = {"Name": "index", "Value": str(estate.gpus - 1)}
    return number_of(machine_of(metric)) in estate.stopped and last in metric["Dimensions"]


def value_of(estate: Estate, metric: dict[str, Any]) -> float:
    if metric["MetricName"] in MEMORY:
        return MEMORY[metric["MetricName"]]
    return (QUIET if estate.idle(machine_of(metric)) else BUSY).get(metric["MetricName"], 1000.0)


def machine_of(metric: dict[str, Any]) -> str:
    return next(one["Value"] for one in metric["Dimensions"] if one["Name"] == "InstanceId")


def metrics(estate: Estate, asked: dict[str, Any]) -> dict[str, Any]:
    """Those of the GPUs."""
    if asked.get("MetricName") != "nvidia_smi_utilization_gpu":
        return {"Metrics": []}
    start = int(asked.get("NextToken") or 0)
    devices = [(machine, gpu) for machine in range(estate.machines) for gpu in telling(estate, machine)]
    held = [{"Namespace": "CWAgent", "MetricName": "nvidia_smi_utilization_gpu", "Dimensions": dimensions(machine, gpu)}
            for machine, gpu in devices[start : start + LISTED]]  # fmt: skip
    more = {"NextToken": str(start + LISTED)} if start + LISTED < len(devices) else {}
    return {"Metrics": held} | more


def telling(estate: Estate, machine: int) -> range:
    return range(estate.gpus - (machine in estate.mute))


def dimensions(machine: int, gpu: int) -> list[dict[str, str]]:
    return [{"Name": "InstanceId", "Value": id_of(machine)}, {"Name": "index", "Value": str(gpu)}, *EXTRA]
