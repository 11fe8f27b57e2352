"""Facts of Azure's services that rent machines in their own name. Shapes: the pulumi-azure-native package, 3."""

import re
from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import ANY_ACCELERATED, Inputs, at, equal, given, listed, some
from provisioner.rules.azure import bought, costly, node_pool, placed, price_of
from provisioner.rules.facts import UNKNOWN, Capacity, Facts
from provisioner.rules.pools import added, number, rows_of, together

SERVES = "Azure keeps one instance at least; take a smaller size, or deploy it for as long as it is asked"


def cluster(subject: str, inputs: Inputs) -> Facts:
    """AKS's pools that are written into the cluster."""
    pools = rows_of(at(inputs, "agentPoolProfiles")) or [{}]
    return together([node_pool(subject, placed(one, inputs)) for one in pools], at(inputs, "tags", default={}))


def fleet(subject: str, inputs: Inputs) -> Facts:
    """It keeps its capacity, of either kind, in sizes by name or by what they need."""
    sizes = listed(at(inputs, "vmSizesProfile"))
    needs = equal(at(inputs, "vmAttributes", "acceleratorSupport"), "Required")
    found: list[Any] = [UNKNOWN] if sizes is UNKNOWN else [costly(at(one, "name")) for one in sizes]
    kinds: Any = UNKNOWN if UNKNOWN in found else tuple(name for one in found for name in one)
    kinds = kinds or (UNKNOWN if needs is UNKNOWN else (ANY_ACCELERATED,) if needs else ())
    kept = added(at(inputs, name, "capacity", default=0) for name in ("regularPriorityProfile", "spotPriorityProfile"))
    return Facts(
        subject=subject, cloud="azure", instance_types=kinds,
        capacity=Capacity.SPOT if at(inputs, "regularPriorityProfile") is None else Capacity.ON_DEMAND, group=True,
        least=kept, most=kept, labels=at(inputs, "tags", default={}),
    )  # fmt: skip


def goes_down(held: Any) -> Any:
    """Whether an idle time is said, or a schedule that is on and stops it."""
    rows = rows_of(at(held, "schedules", "computeStartStop"))
    return some([given(at(held, "idleTimeBeforeShutdown")), *map(stops, rows)])


def stops(schedule: Any) -> Any:
    action, status = at(schedule, "action"), at(schedule, "status", default="Enabled")
    if action not in ("Stop", UNKNOWN) or status not in ("Enabled", UNKNOWN):
        return False
    return UNKNOWN if UNKNOWN in (action, status) else True


def compute(subject: str, inputs: Inputs) -> Facts:
    """Azure Machine Learning's: a cluster keeps its minimum, a person's machine stays until it is idle."""
    held = at(inputs, "properties", default={})
    inner, single = at(held, "properties", default={}), equal(at(held, "computeType"), "ComputeInstance")
    least, most = (at(inner, "scaleSettings", name, default=0) for name in ("minNodeCount", "maxNodeCount"))
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(at(inner, "vmSize")), group=True,
        least=UNKNOWN if single is UNKNOWN else 1 if single else least,
        most=UNKNOWN if single is UNKNOWN else 1 if single else most,
        capacity=bought(at(inner, "vmPriority", default="Dedicated")), labels=at(inputs, "tags", default={}),
        scheduled=goes_down(inner),
        otherwise="set idle_time_before_shutdown" if single is True else "set its minimum to 0",
    )  # fmt: skip


def deployment(subject: str, inputs: Inputs) -> Facts:
    """Of an online endpoint: its own machines wait for requests; on Kubernetes they are the cluster's."""
    held = at(inputs, "properties", default={})
    size, scaling = at(held, "instanceType"), at(held, "scaleSettings", default={})
    scales = equal(at(scaling, "scaleType", default="Default"), "TargetUtilization")
    fixed = number(at(inputs, "sku", "capacity", default=1))
    return Facts(
        subject=subject, cloud="azure", group=True,
        instance_types=() if at(held, "endpointComputeType") == "Kubernetes" else costly(size),
        least=UNKNOWN if scales is UNKNOWN else number(at(scaling, "minInstances", default=1)) if scales else fixed,
        most=UNKNOWN if scales is UNKNOWN else number(at(scaling, "maxInstances", default=1)) if scales else fixed,
        usd_per_hour=price_of(size, at(inputs, "location")), labels=at(inputs, "tags", default={}), otherwise=SERVES,
    )  # fmt: skip


def batch_pool(subject: str, inputs: Inputs) -> Facts:
    """Of Azure Batch: nodes wait for tasks, as many as it says; how many a formula keeps is its own to say."""
    size, scaling = at(inputs, "vmSize"), at(inputs, "scaleSettings", default={})
    kinds = ("targetDedicatedNodes", "targetLowPriorityNodes")
    fixed = added(at(scaling, "fixedScale", name, default=0) for name in kinds)
    nodes = fixed if at(scaling, "autoScale") is None else by_formula(at(scaling, "autoScale", "formula", default=""))
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(size), group=True, least=nodes, most=nodes, unit="node",
        usd_per_hour=price_of(size, at(inputs, "location")), labels=at(inputs, "tags", default={}),
        otherwise="let a formula bring it down to 0 nodes",
    )  # fmt: skip


def by_formula(formula: Any) -> Any:
    """Nodes, where the formula sets plain numbers; UNKNOWN where it computes them."""
    targets = re.findall(r"\$Target(?:Dedicated|LowPriority)Nodes\s*=\s*([^;]*)", str(formula))
    plain = all(one.strip().isdecimal() for one in targets)
    return UNKNOWN if formula is UNKNOWN or not targets or not plain else sum(map(int, targets))


def host(subject: str, inputs: Inputs) -> Facts:
    """Paid for until it is deleted, empty or not; no price of a machine is its price."""
    kind = at(inputs, "sku", "name", default="a dedicated host")
    return Facts(
        subject=subject, cloud="azure", instance_types=UNKNOWN if kind is UNKNOWN else (kind,),
        labels=at(inputs, "tags", default={}), otherwise="use machines of shared hosts: nothing releases this one",
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure-native:containerservice:ManagedCluster": cluster,
    "azure-native:azurefleet:Fleet": fleet,
    "azure-native:machinelearningservices:Compute": compute,
    "azure-native:machinelearningservices:OnlineDeployment": deployment,
    "azure-native:batch:Pool": batch_pool,
    "azure-native:compute:DedicatedHost": host,
}
"""By the type's token, without the version of the API."""
