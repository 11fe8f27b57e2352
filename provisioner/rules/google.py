"""Facts of Google Cloud's resources, off the inputs that Pulumi gives them. Shapes: the pulumi-gcp package, 10."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from provisioner.catalog import labels
from provisioner.catalog.tpus import family_of
from provisioner.rules.aws import Inputs, at, end_of, listed, truth
from provisioner.rules.facts import UNKNOWN, Capacity, Facts, Unknown


def held(inputs: Inputs) -> Any:
    """Our labels under our names."""
    found = at(inputs, "labels", default={})
    return found if isinstance(found, Unknown) or UNKNOWN in found.values() else labels.from_google(found)


def bought(scheduling: Any) -> Any:
    """Spot, from a reservation, or on demand."""
    said = {name: truth(at(scheduling, name)) for name in ("spot", "preemptible", "reserved")}
    if UNKNOWN in said.values():
        return UNKNOWN
    if said["spot"] or said["preemptible"]:
        return Capacity.SPOT
    return Capacity.CAPACITY_BLOCK if said["reserved"] else Capacity.ON_DEMAND


def tpu_price(kind: Any, zone: Any) -> Decimal | None:
    """USD per hour of the slice; None where it is not known."""
    if isinstance(kind, Unknown) or isinstance(zone, Unknown) or not kind:
        return None
    family = family_of(str(kind))
    return family.price(str(kind), str(zone or family.zones[0])) if family else None


def tpu(subject: str, inputs: Inputs) -> Facts:
    """A reserved slice is prepaid, as a capacity block is."""
    kind, marks = at(inputs, "acceleratorType", default="v2-8"), held(inputs)
    kept = at(inputs, "deletionPolicy", default="DELETE")
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN if kind is UNKNOWN else (kind,), labels=marks,
        usd_per_hour=tpu_price(kind, at(inputs, "zone")), capacity=bought(at(inputs, "schedulingConfig", default={})),
        ends_at=end_of(marks), public_address=truth(at(inputs, "networkConfig", "enableExternalIps")),
        leaves_behind=UNKNOWN if kept is UNKNOWN else "the node" if kept == "ABANDON" else "",
        protected=kept == "PREVENT",
    )  # fmt: skip


def instance(subject: str, inputs: Inputs) -> Facts:
    """Machines with accelerators; one without counts by its type's name. Google ends what has a longest run."""
    kind, marks = at(inputs, "machineType"), held(inputs)
    model, longest = at(inputs, "scheduling", "provisioningModel"), at(inputs, "scheduling", "maxRunDuration")
    ends = at(inputs, "scheduling", "terminationTime")
    cards = listed(at(inputs, "networkInterfaces"))
    return Facts(
        subject=subject, cloud="gcp", instance_types=accelerated(kind, inputs), labels=marks, usd_per_hour=None,
        capacity=UNKNOWN if model is UNKNOWN else Capacity.SPOT if model == "SPOT" or longest else Capacity.ON_DEMAND,
        ends_at=ends if isinstance(ends, Unknown) else end_of({labels.EXPIRES_AT: ends} if ends else marks),
        public_address=UNKNOWN if cards is UNKNOWN else any(at(one, "accessConfigs") for one in cards),
        protected=truth(at(inputs, "deletionProtection")),
    )  # fmt: skip


def accelerated(kind: Any, inputs: Inputs) -> Any:
    """The type, where it has accelerators: families a2, a3, a4, g2 and ct, or guest accelerators beside it."""
    guests = at(inputs, "guestAccelerators")
    if kind is UNKNOWN or guests is UNKNOWN:
        return UNKNOWN
    return (
        (kind,) if guests or str(kind).split("-")[0] in ("a2", "a3", "a4", "a4x", "g2", "ct5lp", "ct5p", "ct6e") else ()
    )


def queued(subject: str, inputs: Inputs) -> Facts:
    """A queued resource cannot be asked for on spot, and takes no labels: nothing but its owner ends it."""
    kinds: Any = [at(one, "node", "acceleratorType") for one in listed(at(inputs, "tpu", "nodeSpecs"))]
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN if UNKNOWN in kinds else tuple(kinds), takes_labels=False,
        usd_per_hour=tpu_price(kinds[0], at(inputs, "zone")) if kinds else None,
    )  # fmt: skip


def node_pool(subject: str, inputs: Inputs) -> Facts:
    """GKE's: a pool with autoscaling keeps its minimum, any other one its count."""
    config = at(inputs, "nodeConfig", default={})
    scaling = at(inputs, "autoscaling")
    least = at(inputs, "nodeCount", default=at(inputs, "initialNodeCount", default=1))
    marks = at(config, "resourceLabels", default={})
    spot = truth(at(config, "spot"))
    return Facts(
        subject=subject, cloud="gcp", instance_types=accelerated(at(config, "machineType"), config), group=True,
        least=least if scaling is None else at(scaling, "minNodeCount", default=0),
        labels=marks if isinstance(marks, Unknown) else labels.from_google(marks),
        capacity=UNKNOWN if spot is UNKNOWN else Capacity.SPOT if spot else Capacity.ON_DEMAND,
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "gcp:tpu/v2Vm:V2Vm": tpu,
    "gcp:tpu/v2QueuedResource:V2QueuedResource": queued,
    "gcp:container/nodePool:NodePool": node_pool,
    "gcp:compute/instance:Instance": instance,
    "gcp:compute/instanceTemplate:InstanceTemplate": instance,
}
"""By the type's token."""
