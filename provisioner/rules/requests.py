"""Facts of what accelctl itself is about to launch."""

from collections.abc import Mapping
from datetime import datetime

from provisioner.domain.jobs import Fallback, JobSpec
from provisioner.rules.aws import bound_of, price_of, too_dear
from provisioner.rules.facts import Capacity, Facts


def of_region(region: str) -> Facts:
    """A region that is about to be prepared; it holds no machine yet."""
    return Facts(subject=f"setup of {region}", cloud="aws", instance_types=(), region=region)


def of_job(spec: JobSpec, labels: Mapping[str, str], now: datetime) -> list[Facts]:
    """One for each type and region that will do. The machine itself keeps the end, whatever becomes of us.

    The one limit on the price is sane where it is for one of the types.
    """
    limits = [too_dear(one, spec.max_price) for one in spec.instance_types]
    capacity = Capacity.SPOT if spec.fallback is Fallback.NONE else Capacity.ON_DEMAND
    return [
        Facts(
            subject=one, cloud=spec.cloud, instance_types=(one,), region=region, capacity=capacity, labels=labels,
            ends_at=now + spec.max_duration, usd_per_hour=price_of((one,)),
            at_most=bound_of((one,)),
            asked_wrongly=limits[0] if all(limits) else "",
        )
        for one in spec.instance_types
        for region in spec.regions or ("",)
    ]  # fmt: skip
