"""Facts of Azure's resources as the older provider has them. Shapes: the pulumi-azure package, 6, as documented."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from provisioner.rules.aws import Inputs, at, called, end_of_stack
from provisioner.rules.azure import OTHERWISE, bought, costly, placed, price_of
from provisioner.rules.facts import UNKNOWN, Facts


def machine(subject: str, inputs: Inputs) -> Facts:
    """Its disk always goes with it."""
    tags, size = at(inputs, "tags", default={}), at(inputs, "size", default=at(inputs, "vmSize"))
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(size),
        usd_per_hour=price_of(size, at(inputs, "location")),
        capacity=bought(at(inputs, "priority", default="Regular")), labels=tags, ends_at=end_of_stack(tags),
        machine=called(at(inputs, "name")), scheduled_end=True, otherwise=OTHERWISE,
    )  # fmt: skip


def older_machine(subject: str, inputs: Inputs) -> Facts:
    """The type before those: never spot, and its disk stays unless it is told to go."""
    gone = at(inputs, "deleteOsDiskOnTermination", default=False)
    left: Any = UNKNOWN if gone is UNKNOWN else "" if gone is True else "its disk"
    return replace(machine(subject, inputs), leaves_behind=left)


def group(subject: str, inputs: Inputs, *, size: Any, least: Any, most: Any, priority: str = "priority") -> Facts:
    """Machines of one size."""
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(size), group=True, least=least, most=most,
        usd_per_hour=price_of(size, at(inputs, "location")),
        capacity=bought(at(inputs, priority, default="Regular")), labels=at(inputs, "tags", default={}),
    )  # fmt: skip


def scale_set(subject: str, inputs: Inputs) -> Facts:
    """Its size is a name, or in the oldest type a block with the number of machines."""
    sku = at(inputs, "sku", default=at(inputs, "skuName"))
    block = not isinstance(sku, str | None)
    kept = at(sku, "capacity", default=0) if block else at(inputs, "instances", default=0)
    return group(subject, inputs, size=at(sku, "name") if block else sku, least=kept, most=kept)  # pyright: ignore[reportUnknownArgumentType]


def node_pool(subject: str, inputs: Inputs) -> Facts:
    """AKS's. `enableAutoScaling` is the name of version 5."""
    scales = at(inputs, "autoScalingEnabled", default=at(inputs, "enableAutoScaling"))
    fixed = at(inputs, "nodeCount", default=1)
    least = UNKNOWN if scales is UNKNOWN else at(inputs, "minCount", default=0) if scales is True else fixed
    most = at(inputs, "maxCount", default=UNKNOWN) if scales is True else fixed
    return group(subject, inputs, size=at(inputs, "vmSize"), least=least, most=most)


def cluster(subject: str, inputs: Inputs) -> Facts:
    """The pool that is written into it; the others are resources of their own."""
    pool = placed(at(inputs, "defaultNodePool", default={}), inputs)
    return replace(node_pool(subject, pool), labels=at(inputs, "tags", default={}))


def compute_cluster(subject: str, inputs: Inputs) -> Facts:
    scaling = at(inputs, "scaleSettings", default={})
    return group(
        subject, inputs, size=at(inputs, "vmSize"), least=at(scaling, "minNodeCount", default=0),
        most=at(scaling, "maxNodeCount", default=0), priority="vmPriority",
    )  # fmt: skip


def compute_instance(subject: str, inputs: Inputs) -> Facts:
    """It runs until somebody stops it: the older provider has no word for an idle one."""
    return replace(
        group(subject, inputs, size=at(inputs, "virtualMachineSize"), least=1, most=1),
        otherwise="make it with azure-native, and set idle_time_before_shutdown",
    )


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure:compute/linuxVirtualMachine:LinuxVirtualMachine": machine,
    "azure:compute/windowsVirtualMachine:WindowsVirtualMachine": machine,
    "azure:compute/virtualMachine:VirtualMachine": older_machine,
    "azure:compute/linuxVirtualMachineScaleSet:LinuxVirtualMachineScaleSet": scale_set,
    "azure:compute/windowsVirtualMachineScaleSet:WindowsVirtualMachineScaleSet": scale_set,
    "azure:compute/orchestratedVirtualMachineScaleSet:OrchestratedVirtualMachineScaleSet": scale_set,
    "azure:compute/scaleSet:ScaleSet": scale_set,
    "azure:containerservice/kubernetesClusterNodePool:KubernetesClusterNodePool": node_pool,
    "azure:containerservice/kubernetesCluster:KubernetesCluster": cluster,
    "azure:machinelearning/computeCluster:ComputeCluster": compute_cluster,
    "azure:machinelearning/computeInstance:ComputeInstance": compute_instance,
}
"""By the type's token."""
