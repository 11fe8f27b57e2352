"""How machines for training are had: spot, on demand, out of a reservation, or out of a capacity block."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pulumi
import pulumi_aws as aws

from provisioner.catalog import labels
from provisioner.catalog.policies import may_terminate
from stacks.components.aws_end import TERMINATE, End
from stacks.settings import Key, identity, one_of, refusal

SPOT, BLOCK, RESERVATION, ON_DEMAND = "spot", "capacity-block", "reservation", "on-demand"
KEYS = (
    Key(name="capacity", parse=one_of(SPOT, BLOCK, RESERVATION, ON_DEMAND), default=SPOT, help="how they are bought"),
    Key(name="offering", parse=identity("cb"), default="",
        help="what 'aws ec2 describe-capacity-block-offerings' lists; up buys it, once"),
    Key(name="reservation", parse=identity("cr"), default="",
        help="a capacity reservation that is there; without one, up makes one that ends with the machines"),
)  # fmt: skip
NEEDS = {BLOCK: ("offering", "zone"), RESERVATION: ("zone",)}
BELONGS = {"offering": BLOCK, "reservation": RESERVATION}
CLEARED_BEFORE_END = timedelta(minutes=30)
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-blocks-using.html"""
PLATFORM = "Linux/UNIX"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`market` and `reservation` go into the launch template. `open` is false while nothing can be launched."""

    ends_at: pulumi.Output[str]
    end: End | None = None
    """None where the cloud ends the machines without being asked."""
    market: str | None = None
    reservation: pulumi.Input[str] | None = None
    open: pulumi.Output[bool]


def refuse_unfitting(config: Mapping[str, Any]) -> None:
    """Keys that only make sense together. Raises RunError naming the one that lacks, or is too many."""
    capacity, set_by_hand = config["capacity"], pulumi.Config().get("endAfter")
    for key in NEEDS.get(capacity, ()) if capacity == BLOCK or config["reservation"] else ():
        if not config[key]:
            where = "the zone and the id stand in what AWS lists"
            raise refusal(key, "", f"capacity {capacity} cannot be had without it", f"pulumi config set {key}; {where}")
    for key, fitting in BELONGS.items():
        if config[key] and capacity != fitting:
            hint = f"pulumi config set capacity {fitting}, or pulumi config rm {key}"
            raise refusal(key, config[key], f"capacity is {capacity}, which has none", hint)
    if capacity == BLOCK and set_by_hand is not None:
        raise refusal("endAfter", set_by_hand, "a capacity block ends at its own date", "pulumi config rm endAfter")


def had(
    name: str, config: Mapping[str, Any], *, zone: str, group: aws.ec2.PlacementGroup | None, marks: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> Capacity:  # fmt: skip
    if config["capacity"] == BLOCK:
        return block(name, config, zone, marks, opts)
    allowed, now = may_terminate(labels.STACK, pulumi.get_stack()), pulumi.Output.from_input(True)
    end = End(name, after=config["endAfter"], call=TERMINATE, allowed=allowed, marks=marks, opts=opts)
    if config["capacity"] != RESERVATION:
        return Capacity(ends_at=end.at, end=end, market=SPOT if config["capacity"] == SPOT else None, open=now)
    target = config["reservation"] or reservation(name, config, zone, group, end, marks, opts).id
    return Capacity(ends_at=end.at, end=end, reservation=target, open=now)


def reservation(
    name: str, config: Mapping[str, Any], zone: str, group: aws.ec2.PlacementGroup | None, end: End,
    marks: dict[str, str], opts: pulumi.ResourceOptions,
) -> aws.ec2.CapacityReservation:  # fmt: skip
    """Room for every machine, close together, until they end."""
    return aws.ec2.CapacityReservation(
        name, instance_type=config["instanceType"], instance_count=config["nodes"], availability_zone=zone,
        instance_platform=PLATFORM, instance_match_criteria="targeted", end_date_type="limited", end_date=end.at,
        placement_group_arn=group.arn if group else None, tags=marks, opts=opts,
    )  # fmt: skip


def block(
    name: str, config: Mapping[str, Any], zone: str, marks: dict[str, str], opts: pulumi.ResourceOptions
) -> Capacity:
    """Making it buys it, and nobody gives it back: it is never replaced, and never deleted by `destroy`."""
    kept = pulumi.ResourceOptions(protect=True, ignore_changes=["capacityBlockOfferingId"])
    bought = aws.ec2.CapacityBlockReservation(
        name, capacity_block_offering_id=config["offering"], instance_platform=PLATFORM, tags=marks,
        opts=pulumi.ResourceOptions.merge(opts, kept),
    )  # fmt: skip
    bought.capacity_block_offering_id.apply(lambda offering: say_kept(offering, config["offering"]))
    seen = aws.ec2.get_capacity_block_reservation_output(id=bought.id)
    return Capacity(
        ends_at=seen.end_date.apply(cleared_at), market=BLOCK, reservation=bought.id,
        open=seen.apply(lambda found: is_open(found, config, zone)),
    )  # fmt: skip


def say_kept(bought: str, wanted: str) -> None:
    if bought != wanted:
        hint = "another block is another stack: pulumi stack init"
        pulumi.log.warn(f"accelctl:offering is '{wanted}', and this stack keeps what it bought, {bought}; {hint}.")


def cleared_at(end: str) -> str:
    """When AWS takes the machines back."""
    return f"{datetime.fromisoformat(end.replace('Z', '+00:00')) - CLEARED_BEFORE_END:%Y-%m-%dT%H:%M:%SZ}"


def is_open(found: aws.ec2.GetCapacityBlockReservationResult, config: Mapping[str, Any], zone: str) -> bool:
    """By the cloud's own word. Raises RunError naming the key that does not fit what was bought."""
    bought = {"zone": (zone, found.availability_zone), "instanceType": (config["instanceType"], found.instance_type)}
    for key, (wanted, held) in bought.items():
        if wanted != held:
            raise refusal(key, wanted, f"the capacity block holds {held}", f"pulumi config set {key} {held}")
    if config["nodes"] > found.instance_count:
        most = found.instance_count
        raise refusal("nodes", config["nodes"], f"the capacity block holds {most}", f"pulumi config set nodes {most}")
    if found.state == "scheduled":
        pulumi.log.info(f"the capacity block begins at {found.start_date}; then 'pulumi up' launches its machines.")
    return found.state == "active"
