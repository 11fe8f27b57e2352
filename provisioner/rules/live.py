"""Facts of machines as they stand in an account: the same rules, for what is there already."""

from provisioner.domain.estate import Holding, OwnerKind, Tenure
from provisioner.domain.instances import InstanceState
from provisioner.rules import aws
from provisioner.rules.facts import UNKNOWN, Capacity, Facts

CAPACITY = {
    Tenure.ON_DEMAND: Capacity.ON_DEMAND, Tenure.SPOT: Capacity.SPOT, Tenure.PERSISTENT_SPOT: Capacity.SPOT,
    Tenure.CAPACITY_BLOCK: Capacity.CAPACITY_BLOCK, Tenure.RESERVED: Capacity.RESERVATION,
}  # fmt: skip
ENDED_BY_OTHERS = {OwnerKind.GROUP, OwnerKind.FLEET, OwnerKind.POOL}


def facts(holding: Holding) -> Facts:
    """Of one machine. What a listing does not say (encryption, protection, who scales its group) is UNKNOWN."""
    instance, others = holding.instance, holding.owner in ENDED_BY_OTHERS or holding.tenure is Tenure.RESERVED
    ends_at = aws.end_of(instance.labels)
    return aws.facts(
        instance.labels.get("Name") or instance.id, (instance.instance_type,), region=instance.region,
        capacity=CAPACITY[holding.tenure], ends_at=UNKNOWN if ends_at is None and others else ends_at,
        labels=instance.labels, public_address=holding.public_address, encrypted=UNKNOWN,
        token_only_metadata=holding.token_only_metadata, persistent=holding.tenure is Tenure.PERSISTENT_SPOT,
        leaves_behind="a volume" if holding.keeps_volumes else "", there=True,
        stopped=instance.state is InstanceState.STOPPED,
    )  # fmt: skip
