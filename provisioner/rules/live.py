"""Facts of machines as they stand in an account: the same rules, for what is there already."""

from collections.abc import Iterator
from datetime import datetime

from provisioner.domain.estate import Holding, OwnerKind, Tenure
from provisioner.domain.instances import InstanceState
from provisioner.rules import aws
from provisioner.rules.configuration import Configuration
from provisioner.rules.facts import UNKNOWN, Capacity, Facts
from provisioner.rules.ruleset import RULES, Finding, Outcome, judge, not_always_on

CAPACITY = {
    Tenure.ON_DEMAND: Capacity.ON_DEMAND, Tenure.SPOT: Capacity.SPOT, Tenure.PERSISTENT_SPOT: Capacity.SPOT,
    Tenure.CAPACITY_BLOCK: Capacity.CAPACITY_BLOCK, Tenure.RESERVED: Capacity.ON_DEMAND,
}  # fmt: skip
"""A machine outlives the reservation that it runs in."""
SAID = {Outcome.VIOLATION, Outcome.EXEMPT}
ENDED_BY_OTHERS = {OwnerKind.GROUP, OwnerKind.FLEET, OwnerKind.POOL}


def findings(holding: Holding, allowed: Configuration, now: datetime) -> Iterator[Finding]:
    """What a listing does not say is passed over, but for whether the machine is always on: that is said."""
    vital = {rule.name for rule in RULES if rule.check is not_always_on}
    for one in judge(facts(holding), allowed, now):
        if one.outcome in SAID or one.rule in vital:
            yield one


def facts(holding: Holding) -> Facts:
    """Of one machine. What a listing does not say (encryption, protection, who scales its group) is UNKNOWN."""
    instance, others = holding.instance, holding.owner in ENDED_BY_OTHERS
    ends_at = aws.end_of(instance.labels)
    return aws.facts(
        instance.labels.get("Name") or instance.id, (instance.instance_type,), region=instance.region,
        capacity=CAPACITY[holding.tenure], ends_at=UNKNOWN if ends_at is None and others else ends_at,
        labels=instance.labels, public_address=holding.public_address, encrypted=UNKNOWN,
        token_only_metadata=holding.token_only_metadata, persistent=holding.tenure is Tenure.PERSISTENT_SPOT,
        leaves_behind="a volume" if holding.keeps_volumes else "", there=True,
        otherwise=f"end it, or {aws.TO_THE_REAPER}",
        stopped=instance.state is InstanceState.STOPPED,
    )  # fmt: skip
