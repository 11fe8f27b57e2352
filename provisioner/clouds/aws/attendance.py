"""On which machines somebody has a session open through SSM's Session Manager.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeSessions.html
"""

from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions

PAGE = 200
"""The most that one call gives."""


def attended(sessions: Sessions, region: str) -> frozenset[str]:
    """By id. Of what is open over ssh AWS knows nothing."""
    with translated("ssm:DescribeSessions"):
        pages = sessions.client("ssm", region).get_paginator("describe_sessions").paginate(
            State="Active", PaginationConfig={"PageSize": PAGE}
        )  # fmt: skip
        return frozenset(one["Target"] for page in pages for one in page.get("Sessions", []) if one.get("Target"))
