"""What doctor says of quotas."""

import pytest

from provisioner.catalog import load
from provisioner.cli.checks import Health, quota_check
from provisioner.clouds.aws.quotas import known
from provisioner.clouds.base import Quota

P_SPOT = "L-7212CCBC"


def test_every_quota_that_a_machine_of_the_catalog_counts_against_is_looked_at() -> None:
    """Those of CPU machines and of on-demand as well, each by the families that share it."""
    names = known()

    assert {code for one in load() if not one.retiring for code in (one.quota_spot, one.quota_on_demand)} == {*names}
    assert names[P_SPOT] == "p4d, p4de spot"


@pytest.mark.parametrize(("limit", "health", "said"), [
    (0.0, Health.ADVICE, "wants"), (4.0, Health.ADVICE, "wants"), (4096.0, Health.OK, "4096")
])  # fmt: skip
def test_a_quota_below_its_smallest_machine_is_no_quota(limit: float, health: Health, said: str) -> None:
    """It names a machine that would not fit, and what to ask for."""
    found = quota_check("us-east-1", Quota(name="P spot", code=P_SPOT, limit=limit, unit="vCPUs"))

    assert found.health is health
    assert said in found.finding
    assert (P_SPOT in found.remedy) == (health is Health.ADVICE)
