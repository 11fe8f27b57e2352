"""The vCPU quotas that a launch counts against."""

from collections.abc import Mapping

from provisioner.catalog import load
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import Quota
from provisioner.errors import CloudError


def quotas(sessions: Sessions, region: str) -> list[Quota]:
    """Every one that a machine of the catalog counts against; those that may not be read are left out."""
    found: list[Quota] = []
    for code, name in known().items():
        try:
            with translated("servicequotas:GetServiceQuota"):
                told = sessions.client("service-quotas", region).get_service_quota(ServiceCode="ec2", QuotaCode=code)
        except CloudError:
            continue
        found.append(Quota(name=name, code=code, limit=told["Quota"]["Value"], unit="vCPUs"))
    return found


def known() -> Mapping[str, str]:
    """By code, the families that share it: spot first."""
    families: dict[tuple[str, str], list[str]] = {}
    for market, field in (("spot", "quota_spot"), ("on-demand", "quota_on_demand")):
        for machine in load():
            if (code := getattr(machine, field)) and not machine.retiring:
                families.setdefault((code, market), []).append(machine.family)
    return {code: f"{', '.join(dict.fromkeys(named))} {market}" for (code, market), named in families.items()}
