"""What doctor looks at; each check is one finding and, where something is missing, one remedy."""

import importlib.util
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

from provisioner.catalog import load as load_catalog
from provisioner.clouds.base import Quota
from provisioner.errors import AccelctlError
from provisioner.jobs.lookouts import SEEN_WITHIN, newest
from provisioner.workplace import Workplace

SDKS = {"aws": "boto3"}


class Health(StrEnum):
    """Whether something is as it should be."""

    OK = "ok"
    ADVICE = "advice"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    health: Health
    finding: str
    remedy: str = ""


def checks(place: Workplace) -> Iterator[Check]:
    """Local things first; what needs the cloud only once there are credentials."""
    yield Check(
        name="accelctl", health=Health.OK, finding=f"{version('accelctl')} on Python {platform.python_version()}"
    )
    sandbox = importlib.util.find_spec("moto") is not None
    yield Check(
        name="sandbox", health=Health.OK if sandbox else Health.ADVICE,
        finding="installed" if sandbox else "not installed",
        remedy="" if sandbox else "pip install 'accelctl[sandbox]'",
    )  # fmt: skip
    pulumi = shutil.which("pulumi")
    yield Check(name="pulumi", health=Health.OK, finding=pulumi or "not installed (only stacks need it)")
    cloud = place.settings["cloud"]
    sdk = SDKS.get(cloud, "")
    if sdk and importlib.util.find_spec(sdk) is None:
        yield Check(
            name=cloud,
            health=Health.MISSING,
            finding=f"{sdk} is not installed",
            remedy=f"pip install 'accelctl[{cloud}]'",
        )
        return
    yield from cloud_checks(place)


def cloud_checks(place: Workplace) -> Iterator[Check]:
    asked = "credentials"
    try:
        caller = place.caller
        yield Check(name=asked, health=Health.OK, finding=f"{caller.name} in account {caller.account}")
        asked = "account"
        yield from account_checks(place)
    except AccelctlError as failure:
        yield Check(name=asked, health=Health.MISSING, finding=failure.message, remedy=failure.hint)


def quota_check(region: str, quota: Quota) -> Check:
    """A quota below its smallest machine is as good as none."""
    counted = [
        one for one in load_catalog() if quota.code in (one.quota_spot, one.quota_on_demand) and not one.retiring
    ]
    smallest = min(counted, key=lambda one: one.vcpus, default=None)
    small = smallest is not None and quota.limit < smallest.vcpus
    short = small or not quota.limit
    wanted = f"; {smallest.instance_type} wants {smallest.vcpus}" if smallest and small else ""
    return Check(
        name=f"quota {region}", health=Health.ADVICE if short else Health.OK,
        finding=f"{quota.name}: {quota.limit:g} {quota.unit} ({quota.code}){wanted}",
        remedy=f"ask for more of {quota.code} in {region}: Service Quotas in the console" if short else "",
    )  # fmt: skip


def account_checks(place: Workplace) -> Iterator[Check]:
    store = place.cloud.job_store()
    if store is None:
        yield Check(
            name="setup",
            health=Health.ADVICE,
            finding="nothing is prepared",
            remedy="'accelctl setup', or the first spot-train does it",
        )
        return
    regions = place.cloud.prepared_regions()
    yield Check(name="job store", health=Health.OK, finding=f"{store.url} in {store.region}")
    yield Check(name="prepared regions", health=Health.OK, finding=", ".join(regions))
    for region in regions:
        for quota in place.cloud.quotas(region):
            yield quota_check(region, quota)
    seen = newest(place.objects)
    fresh = seen is not None and place.clock.now() - seen <= SEEN_WITHIN
    yield Check(
        name="stepper", health=Health.OK if fresh else Health.ADVICE,
        finding=f"last seen {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "never seen",
        remedy="" if fresh else "'accelctl setup --stepper', so that detached jobs survive interruptions",
    )  # fmt: skip
