"""vCPU quotas per family and region, as the cloud would refuse above them."""

import re
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPES

from provisioner.sandbox.lifecycle import Refused, living

FAMILIES = (  # instance types, on-demand quota code, spot quota code
    (r"[acdhimrtz]\d", "L-1216C47A", "L-34B43A08"),
    (r"(g|vt)\d", "L-DB2E81BA", "L-3819A6DF"),
    (r"p[2-4]", "L-417A185B", "L-7212CCBC"),
    (r"p[5-9]", "L-417A185B", "L-C4BD4855"),
    (r"inf\d", "L-1945791B", "L-B5D1601B"),
    (r"trn\d", "L-2C3B7624", "L-6B0D517C"),
)
CODES = frozenset(code for _, *codes in FAMILIES for code in codes)
PLENTY = 4096.0


def vcpus(kind: str) -> int:
    return INSTANCE_TYPES.get(kind, {}).get("VCpuInfo", {}).get("DefaultVCpus", 1)


def code_of(kind: str, *, spot: bool) -> str:
    for pattern, on_demand, spot_code in FAMILIES:
        if re.match(pattern, kind):
            return spot_code if spot else on_demand
    return ""


class Quotas:
    """Limits by (region, quota code); plenty unless set."""

    def __init__(self) -> None:
        self.limits: dict[tuple[str, str], float] = {}

    def limit(self, region: str, code: str) -> float:
        return self.limits.get((region, code), PLENTY)

    def check(self, backend: EC2Backend, kind: str, count: int, *, spot: bool) -> None:
        """Raises what EC2 would refuse with."""
        code = code_of(kind, spot=spot)
        used = sum(vcpus(instance.instance_type) for instance in living(backend) if counts(instance, code, spot=spot))
        if used + vcpus(kind) * count <= self.limit(backend.region_name, code):
            return
        if spot:
            raise Refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        raise Refused("VcpuLimitExceeded", f"You have requested more vCPU capacity than your current vCPU limit of "
                      f"{self.limit(backend.region_name, code):.0f} allows for the instance bucket that the specified "
                      "instance type belongs to.")  # fmt: skip


def counts(instance: Any, code: str, *, spot: bool) -> bool:
    return (instance.lifecycle == "spot") == spot and code_of(instance.instance_type, spot=spot) == code
