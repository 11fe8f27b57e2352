"""Which regions hold something of ours: every one that the account has enabled is asked, with one request."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from provisioner.catalog.labels import MANAGED, MANAGED_VALUE
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.errors import CloudError

AT_ONCE = 8
FEWEST: Any = {"PageSize": 5}
"""The least that DescribeTags takes: one label is enough."""
OURS: list[Any] = [{"Name": "key", "Values": [MANAGED]}, {"Name": "value", "Values": [MANAGED_VALUE]}]


def inhabited(sessions: Sessions, regions: Sequence[str]) -> list[str]:
    """Those of them in which EC2 knows a label of ours, and those that do not answer: a look there says why."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        held = list(pool.map(partial(may_hold, sessions), regions))
    return [region for region, there in zip(regions, held, strict=True) if there]


def may_hold(sessions: Sessions, region: str) -> bool:
    """A page may be empty with others after it."""
    try:
        with translated("ec2:DescribeTags"):
            pages = sessions.ec2(region).get_paginator("describe_tags").paginate(Filters=OURS, PaginationConfig=FEWEST)
            return any(page["Tags"] for page in pages)
    except CloudError:
        return True
