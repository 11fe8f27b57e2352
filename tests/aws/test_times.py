"""Times in AWS's answers are read as botocore reads them."""

from typing import Any

import pytest
from botocore.utils import parse_timestamp

from provisioner.clouds.aws.sessions import moment


@pytest.mark.parametrize(
    "value",
    [1700000000, 1700000000.25, "1700000000", "2026-11-20T22:00:00Z", "2026-11-20T22:00:00.123Z",
     "2026-11-20T22:00:00+00:00", "Fri, 20 Nov 2026 22:00:00 GMT"],
)  # fmt: skip
def test_a_time_is_what_botocore_makes_of_it(value: Any) -> None:
    """Numbers, ISO 8601 and the older kinds."""
    assert moment(value) == parse_timestamp(value)
