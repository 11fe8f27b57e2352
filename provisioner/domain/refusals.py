"""What a refusal holds for: one offering, or its whole region."""

from collections.abc import Iterable

from provisioner.domain.offerings import Offering
from provisioner.errors import AccelctlError, QuotaExceeded, Refused


def of_offering(offering: Offering, code: str, message: str, *, lasting: bool = False) -> Refused:
    """That one cannot be had just now, or never."""
    return Refused(
        region=offering.region, zone=offering.zone, instance_type=offering.instance_type,
        capacity_type=offering.capacity_type, code=code, message=message, lasting=lasting,
    )  # fmt: skip


def of_region(offerings: Iterable[Offering], refusal: AccelctlError) -> list[Refused]:
    """A row for each region and pool of them; for good where a quota of the account is used up."""
    pools = {(offering.region, offering.instance_type, offering.capacity_type) for offering in offerings}
    code, message = getattr(refusal, "code", "") or "refused", f"{refusal.message} {refusal.hint}".strip()
    return [
        Refused(region=region, zone="", instance_type=kind, capacity_type=capacity, code=code, message=message,
                lasting=isinstance(refusal, QuotaExceeded))
        for region, kind, capacity in sorted(pools)
    ]  # fmt: skip
