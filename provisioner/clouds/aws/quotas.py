"""The vCPU quotas that a launch counts against."""

from provisioner.catalog import load
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import Quota
from provisioner.errors import CloudError

ACCELERATED = ("p4d", "p5", "g5", "inf2", "trn1")
"""One family of each quota that training meets."""


def quotas(sessions: Sessions, region: str) -> list[Quota]:
    """Spot quotas by family; those that may not be read are left out."""
    found: list[Quota] = []
    for family in ACCELERATED:
        code = next(machine.quota_spot for machine in load() if machine.family == family)
        try:
            with translated("servicequotas:GetServiceQuota"):
                told = sessions.client("service-quotas", region).get_service_quota(ServiceCode="ec2", QuotaCode=code)
        except CloudError:
            continue
        found.append(Quota(name=f"{family} spot", code=code, limit=told["Quota"]["Value"], unit="vCPUs"))
    return found
