"""Facts of Google Cloud's resources, off the inputs that Pulumi gives them. Shapes: the pulumi-gcp package, 10."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.catalog import labels
from provisioner.catalog.small import at_most
from provisioner.catalog.tpus import family_of, type_of
from provisioner.rules.aws import Inputs, at, called, end_of_stack, equal, listed, moment, some, truth
from provisioner.rules.facts import UNKNOWN, Capacity, Facts, Unknown
from provisioner.rules.pools import number, rows_of

USUAL = "e2-medium"
"""The type of a node that names none."""
ENDED = "buy it as spot, or set scheduling.max_run_duration with instance_termination_action = DELETE"


def ours(found: Any) -> Any:
    """Our labels under our names; one that is not known yet hides none beside it."""
    if isinstance(found, Unknown):
        return found
    later = [key for key, value in found.items() if value is UNKNOWN]
    plain = labels.from_google({key: value for key, value in found.items() if key not in later})
    return plain | dict.fromkeys(labels.from_google(dict.fromkeys(later, "")), UNKNOWN)


def bought(scheduling: Any) -> Any:
    """Spot, from a reservation, or on demand. Compute says it by a model; `preemptible` is the older word for spot."""
    model = at(scheduling, "provisioningModel")
    spot = some([equal(model, "SPOT"), truth(at(scheduling, "spot")), truth(at(scheduling, "preemptible"))])
    prepaid = some([equal(model, "RESERVATION_BOUND"), truth(at(scheduling, "reserved"))])
    if spot is True:
        return Capacity.SPOT
    if UNKNOWN in (spot, prepaid):
        return UNKNOWN
    return Capacity.CAPACITY_BLOCK if prepaid else Capacity.ON_DEMAND


def tpu_price(kind: Any, zone: Any) -> Decimal | None:
    """USD per hour of the slice; None where it is not known."""
    if isinstance(kind, Unknown) or isinstance(zone, Unknown) or not kind:
        return None
    family = family_of(str(kind))
    return family.price(str(kind), str(zone or family.zones[0])) if family else None


def slice_of(inputs: Inputs) -> Any:
    """The type's name, which a generation and a topology say as well; Google's own default is the smallest v2."""
    config = at(inputs, "acceleratorConfig")
    if config is None:
        return at(inputs, "acceleratorType", default="v2-8")
    generation, topology = at(config, "type"), at(config, "topology")
    return UNKNOWN if UNKNOWN in (generation, topology) else type_of(str(generation), str(topology))


def outer_address(inputs: Any) -> Any:
    """Of a TPU, which may have one network or several."""
    networks = [at(inputs, "networkConfig"), *rows_of(at(inputs, "networkConfigs"))]
    return some(truth(at(one, "enableExternalIps")) for one in networks)


def stays(inputs: Any, what: str) -> Any:
    """What would stay when Pulumi lets go of it; empty for nothing."""
    kept = at(inputs, "deletionPolicy", default="DELETE")
    return UNKNOWN if kept is UNKNOWN else what if kept == "ABANDON" else ""


def protected(inputs: Any) -> bool:
    return at(inputs, "deletionPolicy") == "PREVENT"


def tpu(subject: str, inputs: Inputs) -> Facts:
    """A reserved slice is prepaid, as a capacity block is."""
    kind, marks = slice_of(inputs), ours(at(inputs, "labels", default={}))
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN if kind is UNKNOWN else (kind,), labels=marks,
        machine=called(at(inputs, "name")), usd_per_hour=tpu_price(kind, at(inputs, "zone")),
        capacity=bought(at(inputs, "schedulingConfig", default={})),
        ends_at=end_of_stack(marks), public_address=outer_address(inputs),
        leaves_behind=stays(inputs, "the node"), protected=protected(inputs), scheduled_end=True,
        otherwise="buy it as spot, or make it with a stack gcp-tpu-v5e or gcp-tpu-v5p, whose schedule deletes it",
    )  # fmt: skip


def instance(subject: str, inputs: Inputs) -> Facts:
    """A machine; a small one without accelerators is none. Google ends what has a longest run."""
    marks, scheduling = ours(at(inputs, "labels", default={})), at(inputs, "scheduling", default={})
    ends = at(scheduling, "terminationTime")
    return Facts(
        subject=subject, cloud="gcp", instance_types=costly(at(inputs, "machineType"), inputs), labels=marks,
        usd_per_hour=None, capacity=bought(scheduling), ends_at=moment(ends),
        lasts=span(at(scheduling, "maxRunDuration")),
        public_address=has_address(listed(at(inputs, "networkInterfaces"))),
        protected=truth(at(inputs, "deletionProtection")), leaves_behind=disks_left(inputs),
        restarts=truth(at(scheduling, "automaticRestart")), otherwise=ENDED,
    )  # fmt: skip


def template(subject: str, inputs: Inputs) -> Facts:
    return replace(instance(subject, inputs), blueprint=True)


def span(block: Any) -> Any:
    """Of a block with seconds; None where there is none, or where it is none."""
    seconds = at(block, "seconds")
    if seconds is None or isinstance(seconds, Unknown):
        return seconds
    try:
        return timedelta(seconds=int(seconds))
    except ValueError:
        return None
    except OverflowError:
        return timedelta.max


def has_address(cards: Any) -> Any:
    """Of either protocol."""
    if cards is UNKNOWN:
        return UNKNOWN
    given = [at(one, name, default=[]) for one in cards for name in ("accessConfigs", "ipv6AccessConfigs")]
    return some(one if one is UNKNOWN else bool(one) for one in given)


def disks_left(inputs: Inputs) -> Any:
    """Those that are made with the machine; one that was there before it is nobody's to delete."""
    made = [at(inputs, "bootDisk"), *rows_of(at(inputs, "disks"))]
    gone = [truth(at(one, "autoDelete", default=True)) for one in made if at(one, "source") in (None, UNKNOWN)]
    return "a disk" if False in gone else UNKNOWN if UNKNOWN in gone else ""


def costly(kind: Any, inputs: Any) -> Any:
    """The type, where it may be dear: every one but a small one that has no guest accelerators beside it."""
    if isinstance(kind, Unknown):
        return UNKNOWN
    name = str(kind or USUAL).rsplit("/", 1)[-1]
    if at_most("gcp", name) is None:
        return (name,)
    guests = guests_of(inputs)
    return UNKNOWN if guests is UNKNOWN else (name,) if guests else ()


def guests_of(inputs: Any) -> Any:
    """Whether there are any: a count of 0 is none."""
    guests = listed(at(inputs, "guestAccelerators"))
    if guests is UNKNOWN:
        return UNKNOWN
    counts = [number(at(one, "count", default=1)) for one in guests]
    return some(one if one is UNKNOWN else one > 0 for one in counts)


def queued(subject: str, inputs: Inputs) -> Facts:
    """A queued resource cannot be asked for on spot, and takes no labels: nothing but its owner ends it."""
    nodes = [at(one, "node", default={}) for one in rows_of(at(inputs, "tpu", "nodeSpecs"))]
    kinds = [slice_of(one) for one in nodes]
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN if UNKNOWN in kinds else tuple(kinds), takes_labels=False,
        usd_per_hour=tpu_price(kinds[0], at(inputs, "zone")) if kinds else None,
        public_address=some(outer_address(one) for one in nodes),
        otherwise="a queued resource is neither spot nor ended by Google; ask for a TPU VM",
    )  # fmt: skip


def node_pool(subject: str, inputs: Inputs) -> Facts:
    """GKE's: a pool with autoscaling keeps its minimum, any other one its count."""
    config = at(inputs, "nodeConfig", default={})
    scaling = at(inputs, "autoscaling")
    least = at(inputs, "nodeCount", default=at(inputs, "initialNodeCount", default=1))
    return Facts(
        subject=subject, cloud="gcp", instance_types=costly(at(config, "machineType"), config), group=True,
        least=least if scaling is None else of_all_zones(scaling, "MinNodeCount", default=0),
        most=least if scaling is None else of_all_zones(scaling, "MaxNodeCount", default=UNKNOWN),
        labels=ours(at(config, "resourceLabels", default={})),
        capacity=bought(config),
    )  # fmt: skip


def of_all_zones(scaling: Any, name: str, *, default: Any) -> Any:
    """A pool's limit, which is said for all of its zones, or for each."""
    each = name[0].lower() + name[1:]
    return number(at(scaling, f"total{name}", default=at(scaling, each, default=default)))


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "gcp:tpu/v2Vm:V2Vm": tpu,
    "gcp:tpu/v2QueuedResource:V2QueuedResource": queued,
    "gcp:container/nodePool:NodePool": node_pool,
    "gcp:compute/instance:Instance": instance,
    "gcp:compute/instanceTemplate:InstanceTemplate": template,
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate": template,
}
"""By the type's token."""
