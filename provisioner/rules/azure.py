"""Facts of Azure's resources, off the inputs that Pulumi gives them. Shapes: the pulumi-azure-native package, 3."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from provisioner.catalog import azure
from provisioner.catalog.small import at_most
from provisioner.rules.aws import Inputs, at, called, end_of_stack, listed
from provisioner.rules.facts import UNKNOWN, Capacity, Facts, Unknown, above

SPOT = ("Spot", "Low", "LowPriority")
OTHERWISE = "buy it as spot, or make it with the stack azure-nd, whose schedule ends it"


def costly(size: Any) -> Any:
    """The size, where it may be dear: every one but a small one, and none where Azure chooses it."""
    if isinstance(size, Unknown):
        return UNKNOWN
    return () if size is None or at_most("azure", str(size)) is not None else (size,)


def price_of(size: Any, place: Any = None) -> Decimal | None:
    """USD per hour on demand there; where it is dearest, for a place that is not said or not known yet."""
    if isinstance(size, Unknown) or size is None:
        return None
    return azure.price(str(size), "" if isinstance(place, Unknown) or place is None else str(place))


def bought(priority: Any) -> Any:
    return UNKNOWN if isinstance(priority, Unknown) else Capacity.SPOT if priority in SPOT else Capacity.ON_DEMAND


def asked_wrongly(size: Any, place: Any, profile: Any) -> Any:
    """Who takes spot says what becomes of it when it is evicted, and pays no more than on demand."""
    priority, eviction = at(profile, "priority"), at(profile, "evictionPolicy")
    if priority not in SPOT and priority is not UNKNOWN:
        return ""
    if UNKNOWN in (priority, eviction):
        return UNKNOWN
    if eviction is None:
        return "it does not say what becomes of it when it is evicted; set its eviction policy"
    return above(at(profile, "billingProfile", "maxPrice"), price_of(size, place))


def machine(subject: str, inputs: Inputs) -> Facts:
    """Disks are always encrypted at rest. An end is Azure's own schedule, which a stack of ours brings."""
    tags, profile = at(inputs, "tags", default={}), at(inputs, "networkProfile", default={})
    made = listed(at(profile, "networkInterfaceConfigurations"))
    size, place = at(inputs, "hardwareProfile", "vmSize"), at(inputs, "location")
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(size),
        usd_per_hour=price_of(size, place), asked_wrongly=asked_wrongly(size, place, inputs),
        capacity=bought(at(inputs, "priority", default="Regular")), ends_at=end_of_stack(tags), labels=tags,
        public_address=public(made), leaves_behind=left(inputs, listed(at(profile, "networkInterfaces"))),
        machine=called(at(inputs, "vmName")), scheduled_end=True, otherwise=OTHERWISE,
    )  # fmt: skip


def public(cards: Any) -> Any:
    """An address belongs to one of a card's configurations."""
    rows = UNKNOWN if cards is UNKNOWN else [listed(at(card, "ipConfigurations")) for card in cards]
    if rows is UNKNOWN or UNKNOWN in rows:
        return UNKNOWN
    said = [at(one, "publicIPAddressConfiguration") for row in rows for one in row]
    return UNKNOWN if UNKNOWN in said else any(one is not None for one in said)


def left(inputs: Inputs, cards: Any) -> Any:
    """What stays and costs when the machine is deleted; a disk that was there before it may stay."""
    disk, more = at(inputs, "storageProfile", "osDisk"), listed(at(inputs, "storageProfile", "dataDisks"))
    if UNKNOWN in (disk, more, cards):
        return UNKNOWN
    own = [disk, *(one for one in more if at(one, "createOption") != "Attach")]
    for rows, what in ((own, "its disk"), (cards, "a network interface")):
        said = [at(one, "deleteOption", default="Detach") for one in rows]
        if any(one is not UNKNOWN and one != "Delete" for one in said):
            return what
        if UNKNOWN in said:
            return UNKNOWN
    return ""


def scale_set(subject: str, inputs: Inputs) -> Facts:
    """It keeps its capacity for ever."""
    size, place = at(inputs, "sku", "name"), at(inputs, "location")
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(size), group=True,
        usd_per_hour=price_of(size, place),
        asked_wrongly=asked_wrongly(size, place, at(inputs, "virtualMachineProfile", default={})),
        capacity=bought(at(inputs, "virtualMachineProfile", "priority", default="Regular")),
        least=at(inputs, "sku", "capacity", default=0), most=at(inputs, "sku", "capacity", default=0),
        labels=at(inputs, "tags", default={}),
    )  # fmt: skip


def placed(pool: Any, cluster: Inputs) -> Any:
    """A pool that is written into its cluster, with its place; one of its own does not say it."""
    return UNKNOWN if pool is UNKNOWN else {**pool, "location": at(cluster, "location")}


def node_pool(subject: str, inputs: Inputs) -> Facts:
    """AKS's: a pool that scales by itself keeps its minimum, any other one its count."""
    scales = at(inputs, "enableAutoScaling")
    fixed = at(inputs, "count", default=1)
    least = UNKNOWN if scales is UNKNOWN else at(inputs, "minCount", default=0) if scales is True else fixed
    return Facts(
        subject=subject, cloud="azure", instance_types=costly(at(inputs, "vmSize")), group=True, least=least,
        most=at(inputs, "maxCount", default=UNKNOWN) if scales is True else fixed,
        usd_per_hour=price_of(at(inputs, "vmSize"), at(inputs, "location")),
        capacity=bought(at(inputs, "scaleSetPriority", default="Regular")), labels=at(inputs, "tags", default={}),
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "azure-native:compute:VirtualMachine": machine,
    "azure-native:compute:VirtualMachineScaleSet": scale_set,
    "azure-native:containerservice:AgentPool": node_pool,
}
"""By the type's token, azure-native's without the version of the API."""
