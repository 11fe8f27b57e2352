"""Facts of EC2's resources, off the inputs that Pulumi gives them. Shapes: the pulumi-aws package, version 7."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from provisioner.catalog import labels, load
from provisioner.catalog.small import at_most
from provisioner.rules.facts import UNKNOWN, Capacity, Facts, Unknown, above

Inputs = Mapping[str, Any]
"""Plain values; what is not known yet is UNKNOWN, at any depth."""
OPTIONS = "accelctl:options"
"""Beside the inputs: what Pulumi itself was told of the resource, `protect` and `ignoreChanges`."""
TO_THE_REAPER = (
    f"hand it to the reaper with the labels {labels.MANAGED}={labels.MANAGED_VALUE} and "
    f"{labels.EXPIRES_AT}, the moment when it ends"
)
OTHERWISE = f"buy it as spot, or {TO_THE_REAPER}"
FLEET_ENDS = "let it ask once for spot, or end its machines at its valid_until: terminate_instances_with_expiration"
ACCELERATORS = ("acceleratorManufacturers", "acceleratorNames", "acceleratorTypes", "acceleratorTotalMemoryMib")
"""Requirements that only a machine with accelerators meets, beside their least number."""
ANY_ACCELERATED = "any type with accelerators"
CAPACITY = {"spot": Capacity.SPOT, "capacity-block": Capacity.CAPACITY_BLOCK}


def at(inputs: Any, *path: str, default: Any = None) -> Any:
    """The value there; UNKNOWN where anything on the way is, the default where something is missing."""
    found: Any = inputs
    for name in path:
        if found is UNKNOWN:
            return UNKNOWN
        found = found.get(name) if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return default if found is None else found  # pyright: ignore[reportUnknownVariableType]


def listed(value: Any) -> Any:
    return value if isinstance(value, Unknown) else list(value or ())


def truth(value: Any) -> Any:
    """Some blocks write booleans as text."""
    return value if isinstance(value, Unknown) else value in (True, "true")


def equal(value: Any, wanted: str) -> Any:
    return value if isinstance(value, Unknown) else value == wanted


def some(values: Iterable[Any]) -> Any:
    """Whether one of them holds; UNKNOWN where only one that is not known yet could."""
    said = list(values)
    return True if True in said else UNKNOWN if UNKNOWN in said else False


def given(value: Any) -> Any:
    """Whether anything is said there; an empty text or table says nothing."""
    return value if isinstance(value, Unknown) else value not in (None, "", (), [], {})


def called(path: Any) -> Any:
    """The name that ends a cloud's id or address, in small letters; UNKNOWN for none."""
    return str(path).rsplit("/", 1)[-1].lower() if given(path) is True else UNKNOWN


def own_id(inputs: Inputs) -> Any:
    """As a state has it, or as outputs do."""
    return called(at(inputs, OPTIONS, "id", default=at(inputs, "arn")))


def end_of(tags: Any) -> Any:
    """The label's moment, where the reaper heeds it: on what carries `accelctl:managed`; None where it is none."""
    found, managed = moment(at(tags, labels.EXPIRES_AT)), equal(at(tags, labels.MANAGED), labels.MANAGED_VALUE)
    return found if managed is True else UNKNOWN if managed is UNKNOWN and found is not None else None


def end_of_stack(tags: Any) -> Any:
    """The label's moment on the clouds that have no reaper: only our stacks bring a schedule that ends a machine."""
    return None if at(tags, labels.STACK) is None else end_of(tags)


def moment(text: Any) -> Any:
    if isinstance(text, Unknown) or text is None:
        return text
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def price_of(instance_types: Any) -> Decimal | None:
    """USD per hour on demand of the dearest, in the region where it is cheapest; None where one is not known."""
    prices: list[Decimal] = []
    for one in () if isinstance(instance_types, Unknown) else instance_types:
        machine = load().find("aws", one)
        if machine is None or not machine.on_demand:
            return None
        prices.append(min(machine.on_demand.values()))
    return max(prices, default=None)


def bound_of(instance_types: Any) -> Decimal | None:
    """What the dearest stays below, by its price or by its name alone; None where nobody can say of one."""
    found = () if isinstance(instance_types, Unknown) else instance_types
    bounds = [price_of((one,)) or at_most("aws", one) for one in found]
    return None if None in bounds else max((one for one in bounds if one is not None), default=None)


def facts(subject: str, instance_types: Any, **more: Any) -> Facts:
    named = () if isinstance(instance_types, Unknown) else tuple(one for one in instance_types if one)
    found: Any = UNKNOWN if instance_types is UNKNOWN or UNKNOWN in named else named
    price = price_of(found)
    return Facts(
        subject=subject, cloud="aws", instance_types=found, usd_per_hour=price,
        at_most=bound_of(found) if price is None else None, accelerated=accelerated(found), **more,
    )  # fmt: skip


def accelerated(instance_types: Any) -> bool:
    """Whether one of the types surely has accelerators."""
    found = () if isinstance(instance_types, Unknown) else instance_types
    return any((machine := load().find("aws", one)) and machine.accelerators for one in found)


def kind_of(row: Any) -> Any:
    """A type by its name, or by what it is required to have; None where it is left to somebody else."""
    wanted = at(row, "instanceRequirements")
    return at(row, "instanceType") if wanted is None else required(wanted)


def required(wanted: Any) -> Any:
    """Of instance requirements: without a word of accelerators EC2 may choose whatever it has."""
    least = at(wanted, "acceleratorCount", "min", default=0)
    named = [at(wanted, name) for name in ACCELERATORS]
    asks = any(one not in (None, [], UNKNOWN) for one in named) or (least is not UNKNOWN and least > 0)
    return ANY_ACCELERATED if asks else UNKNOWN


def kinds_of(rows: Any, *, template: bool) -> Any:
    """Of the overrides of a group; without any, its type is its template's, which cannot be seen from the group."""
    found = [UNKNOWN] if rows is UNKNOWN else [one for row in rows if (one := kind_of(row)) is not None]
    return UNKNOWN if UNKNOWN in found or (template and not found) else found


def metadata(inputs: Inputs) -> Any:
    return equal(at(inputs, "metadataOptions", "httpTokens", default="optional"), "required")


def encrypted(disks: Iterable[Any]) -> Any:
    said = [truth(at(disk, "encrypted")) for disk in disks]
    return UNKNOWN if UNKNOWN in said else all(said)


def instance(subject: str, inputs: Inputs) -> Facts:
    """From a template, what only the template says is not known here; its disks and its metadata are judged there."""
    template, tags = at(inputs, "launchTemplate") is not None, at(inputs, "tags", default={})
    market = at(inputs, "instanceMarketOptions", "marketType", default=at(inputs, "instanceLifecycle"))
    market = UNKNOWN if template and market is None else market
    kind = at(inputs, "instanceType")
    more = listed(at(inputs, "ebsBlockDevices"))
    disks = [at(inputs, "rootBlockDevice", default={}), *([UNKNOWN] if more is UNKNOWN else more)]
    return facts(
        subject, UNKNOWN if kind is UNKNOWN or (template and kind is None) else (kind,),
        capacity=UNKNOWN if market is UNKNOWN else CAPACITY.get(market, Capacity.ON_DEMAND), ends_at=end_of(tags),
        labels=tags, public_address=truth(at(inputs, "associatePublicIpAddress")),
        template=source_of(at(inputs, "launchTemplate")), ids=(own_id(inputs),),
        token_only_metadata=template or metadata(inputs), encrypted=template or encrypted(disks),
        protected=truth(at(inputs, "disableApiTermination")), persistent=persistent(inputs),
        leaves_behind=volumes_left(disks), from_template=template and kind is None, reserved=reserved(inputs),
        asked_wrongly=too_dear(kind, limit_of(inputs)), otherwise=OTHERWISE,
    )  # fmt: skip


def source_of(told: Any) -> Any:
    """What a launch template is called, where something is launched from it; empty for none."""
    return "" if told is None else called(at(told, "id", default=at(told, "name")))


def handed_on(inputs: Inputs) -> Any:
    """The labels that a template gives to its machines."""
    rows = listed(at(inputs, "tagSpecifications"))
    if rows is UNKNOWN:
        return UNKNOWN
    found = [at(one, "tags", default={}) for one in rows if at(one, "resourceType") == "instance"]
    return found[0] if found else {}


def persistent(inputs: Inputs) -> Any:
    return equal(at(inputs, "instanceMarketOptions", "spotOptions", "spotInstanceType"), "persistent")


def too_dear(kind: Any, limit: Any) -> Any:
    """The most that spot may cost, against the region where on demand costs most: no region asks that."""
    machine = None if isinstance(kind, Unknown) or kind is None else load().find("aws", kind)
    return above(limit, max(machine.on_demand.values(), default=None) if machine else None)


def limit_of(inputs: Inputs) -> Any:
    return at(inputs, "instanceMarketOptions", "spotOptions", "maxPrice")


def reserved(inputs: Inputs) -> bool:
    """Whether it names a reservation. That says nothing of its end: when a reservation ends, its machines go on."""
    return at(inputs, "capacityReservationSpecification", "capacityReservationTarget") is not None


def volumes_left(disks: Iterable[Any]) -> Any:
    kept = [at(disk, "deleteOnTermination", default=True) for disk in disks]
    if UNKNOWN in kept:
        return UNKNOWN
    return "" if all(truth(one) for one in kept) else "a volume"


def template(subject: str, inputs: Inputs) -> Facts:
    """Its own labels reach no machine, and say when those of its stack are to end; blocks may come later, by `up`."""
    market, tags = at(inputs, "instanceMarketOptions", "marketType"), at(inputs, "tags", default={})
    hands_on = handed_on(inputs)
    kind, cards = kind_of(inputs), listed(at(inputs, "networkInterfaces"))
    mappings = listed(at(inputs, "blockDeviceMappings"))
    disks = [] if mappings is UNKNOWN else [at(one, "ebs", default={}) for one in mappings]
    public = UNKNOWN if cards is UNKNOWN else some(truth(at(one, "associatePublicIpAddress")) for one in cards)
    return facts(
        subject, (kind,),
        capacity=UNKNOWN if market is UNKNOWN else CAPACITY.get(market, Capacity.ON_DEMAND),
        ends_at=end_of(tags if end_of(hands_on) is None else hands_on), labels=tags, public_address=public,
        token_only_metadata=metadata(inputs),
        encrypted=UNKNOWN if mappings is UNKNOWN else encrypted(disks), leaves_behind=volumes_left(disks),
        protected=truth(at(inputs, "disableApiTermination")), persistent=persistent(inputs), blueprint=True,
        reserved=reserved(inputs), asked_wrongly=too_dear(kind, limit_of(inputs)),
        otherwise=f"{OTHERWISE} in its tag_specifications for instances", hands_on=hands_on,
        ids=(own_id(inputs), called(at(inputs, "name"))),
    )  # fmt: skip


def spot_request(subject: str, inputs: Inputs) -> Facts:
    """The legacy request; persistent unless it says otherwise."""
    plain = instance(subject, inputs)
    kind = at(inputs, "spotType", default="persistent")
    return facts(
        subject, plain.instance_types, capacity=Capacity.SPOT, ends_at=plain.ends_at, labels=plain.labels,
        persistent=equal(kind, "persistent"), encrypted=plain.encrypted,
        token_only_metadata=plain.token_only_metadata, public_address=plain.public_address,
        leaves_behind="" if truth(at(inputs, "waitForFulfillment")) is True else "the machine of the request",
        asked_wrongly=too_dear(at(inputs, "instanceType"), at(inputs, "spotPrice")),
    )  # fmt: skip


def fleet(subject: str, inputs: Inputs) -> Facts:
    """Types are its overrides'; a template's own type is judged with the template."""
    configs = listed(at(inputs, "launchTemplateConfigs"))
    rows: Any = UNKNOWN if configs is UNKNOWN else overrides_of(configs)
    keeps = at(inputs, "type", default="maintain") == "maintain"
    wanted = at(inputs, "targetCapacitySpecification", "totalTargetCapacity", default=0)
    market = at(inputs, "targetCapacitySpecification", "defaultTargetCapacityType")
    firm = at(inputs, "targetCapacitySpecification", "onDemandTargetCapacity")
    return facts(
        subject, kinds_of(rows, template=True), labels=at(inputs, "tags", default={}), from_template=rows == [],
        capacity=besides(firm, UNKNOWN if market is UNKNOWN else CAPACITY.get(market, Capacity.ON_DEMAND)),
        group=keeps, least=wanted, most=wanted, ends_at=valid_until(inputs), otherwise=FLEET_ENDS,
        leaves_behind="" if truth(at(inputs, "terminateInstances")) is True else "the machines of the fleet",
    )  # fmt: skip


def besides(firm: Any, capacity: Any) -> Any:
    """How a fleet buys that also wants so many machines on demand."""
    return UNKNOWN if firm is UNKNOWN else Capacity.ON_DEMAND if firm else capacity


def valid_until(inputs: Inputs) -> Any:
    """When a fleet ends its machines; None where it only stops asking for more, and for its own labels."""
    ends, until = truth(at(inputs, "terminateInstancesWithExpiration")), at(inputs, "validUntil")
    return UNKNOWN if ends is UNKNOWN else moment(until) if ends else None


def overrides_of(configs: list[Any]) -> Any:
    """Of a fleet's templates; UNKNOWN where those of one are."""
    rows = [listed(at(config, "overrides")) for config in configs]
    return UNKNOWN if UNKNOWN in rows else [one for row in rows for one in row]


def kept(least: Any, desired: Any, capacity: Any) -> Any:
    """The machines that stay until somebody sends them home: those that a group starts with as well, but for spot."""
    if capacity is Capacity.SPOT or desired is None:
        return least
    return UNKNOWN if UNKNOWN in (least, desired) else max(least, desired)


def warm(inputs: Inputs) -> Any:
    """The machines that run beside a group until it wants them: all that it could want, unless less is said.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutWarmPool.html
    """
    state, least = (at(inputs, "warmPool", name, default=other) for name, other in (("poolState", ""), ("minSize", 0)))
    wanted = at(inputs, "desiredCapacity", default=at(inputs, "minSize", default=0))
    ready = at(inputs, "warmPool", "maxGroupPreparedCapacity", default=-1)
    ready = at(inputs, "maxSize", default=0) if ready == -1 else ready
    if state not in ("Running", UNKNOWN):
        return 0
    return UNKNOWN if UNKNOWN in (state, least, wanted, ready) else max(least, ready - wanted)


def market_of(inputs: Inputs) -> Any:
    """Spot alone, on demand at least in part, or as the template says."""
    if at(inputs, "mixedInstancesPolicy") is None:
        return UNKNOWN
    shares = at(inputs, "mixedInstancesPolicy", "instancesDistribution", default={})
    firm = [
        at(shares, "onDemandBaseCapacity", default=0),
        at(shares, "onDemandPercentageAboveBaseCapacity", default=100),
    ]
    return UNKNOWN if UNKNOWN in firm else Capacity.ON_DEMAND if any(firm) else Capacity.SPOT


def scaling_group(subject: str, inputs: Inputs) -> Facts:
    """Schedules of its stack may bring it down, but not its warm machines."""
    ready, market = warm(inputs), market_of(inputs)
    rows = listed(at(inputs, "mixedInstancesPolicy", "launchTemplate", "overrides"))
    tags = listed(at(inputs, "tags"))
    held = UNKNOWN if tags is UNKNOWN else {at(one, "key"): at(one, "value") for one in tags}
    smallest = at(inputs, "minSize", default=0)
    return facts(
        subject, kinds_of(rows, template=True), from_template=rows == [], group=True, labels=held, smallest=smallest,
        least=kept(smallest, at(inputs, "desiredCapacity"), market) if ready == 0 else ready,
        most=at(inputs, "maxSize"), capacity=market, machine=called(at(inputs, "name")), scheduled_end=ready == 0,
        otherwise="" if ready == 0 else "let its warm pool hold stopped machines",
    )  # fmt: skip


def launch_configuration(subject: str, inputs: Inputs) -> Facts:
    """The template's predecessor: no labels, and what it launches has no end of its own."""
    kind, root = at(inputs, "instanceType"), at(inputs, "rootBlockDevice", default={})
    return facts(
        subject, (kind,), takes_labels=False, token_only_metadata=metadata(inputs),
        capacity=Capacity.ON_DEMAND if at(inputs, "spotPrice") is None else Capacity.SPOT,
        public_address=truth(at(inputs, "associatePublicIpAddress")), encrypted=encrypted([root]), blueprint=True,
        otherwise="set its spot_price, or use a launch template, which has labels",
    )  # fmt: skip


def spot_fleet(subject: str, inputs: Inputs) -> Facts:
    """The legacy fleet: it keeps its size unless it says otherwise."""
    specifications = listed(at(inputs, "launchSpecifications"))
    configs = listed(at(inputs, "launchTemplateConfigs"))
    rows: Any = UNKNOWN if UNKNOWN in (specifications, configs) else overrides_of(configs)
    rows = UNKNOWN if rows is UNKNOWN else [*specifications, *rows]
    ends = truth(at(inputs, "terminateInstancesOnDelete"))
    return facts(
        subject, kinds_of(rows, template=True), labels=at(inputs, "tags", default={}), from_template=rows == [],
        capacity=besides(at(inputs, "onDemandTargetCapacity"), Capacity.SPOT),
        group=at(inputs, "fleetType", default="maintain") == "maintain",
        least=at(inputs, "targetCapacity", default=0), most=at(inputs, "targetCapacity"),
        ends_at=valid_until(inputs), otherwise=FLEET_ENDS,
        leaves_behind=UNKNOWN if ends is UNKNOWN else "" if ends else "the machines of the fleet",
    )  # fmt: skip


def reservation(subject: str, inputs: Inputs) -> Facts:
    """Paid for from its first second, used or not."""
    kind, limited = at(inputs, "instanceType"), equal(at(inputs, "endDateType"), "limited")
    return facts(
        subject, (kind,), capacity=Capacity.RESERVATION,
        ends_at=UNKNOWN if limited is UNKNOWN else moment(at(inputs, "endDate")) if limited else None,
        labels=at(inputs, "tags", default={}),
        group=True, least=0, most=at(inputs, "instanceCount", default=1), reserves=True,
        otherwise="set end_date_type to limited, and an end_date",
    )  # fmt: skip


def capacity_block(subject: str, inputs: Inputs) -> Facts:
    """Prepaid. Its type is the offering's, so it has no price here; AWS ends it by itself."""
    options = at(inputs, OPTIONS, default={})
    kept = at(options, "protect") is True and "capacityBlockOfferingId" in at(options, "ignoreChanges", default=())
    return Facts(
        subject=subject, cloud="aws", instance_types=("a capacity block",), capacity=Capacity.CAPACITY_BLOCK,
        labels=at(inputs, "tags", default={}), pinned=kept, group=True, most=1, reserves=True,
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "aws:ec2/instance:Instance": instance,
    "aws:ec2/launchTemplate:LaunchTemplate": template,
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest": spot_request,
    "aws:ec2/fleet:Fleet": fleet,
    "aws:autoscaling/group:Group": scaling_group,
    "aws:ec2/launchConfiguration:LaunchConfiguration": launch_configuration,
    "aws:ec2/spotFleetRequest:SpotFleetRequest": spot_fleet,
    "aws:ec2/capacityBlockReservation:CapacityBlockReservation": capacity_block,
    "aws:ec2/capacityReservation:CapacityReservation": reservation,
}
"""By the type's token."""
