"""Types that the catalog lacks, as EC2 describes them."""

import pytest

from provisioner.clock import SystemClock
from provisioner.clouds.aws.describe import Machines
from provisioner.clouds.aws.sessions import Sessions
from provisioner.errors import CloudError
from tests.aws.wire import answer, ec2_error, on_the_wire

pytestmark = pytest.mark.usefixtures("sandbox")
NOTHING = "<DescribeInstanceTypesResponse><instanceTypeSet/></DescribeInstanceTypesResponse>"


def test_a_type_is_asked_for_where_the_job_may_run() -> None:
    """EC2 tells of what a region sells: what the credentials' own region lacks, another one may have."""
    sessions = Sessions("us-east-1")
    at_home = on_the_wire(sessions.ec2("us-east-1"), lambda: answer(200, NOTHING))
    machines = Machines(sessions, SystemClock())

    assert machines.describe("m5.large", ["us-east-1"]) is None
    assert machines.describe("m5.large", ["us-east-1", "us-west-2"]) is not None
    assert machines.image("m5.large", "us-west-2").parameter.startswith("/aws/service/")
    assert len(at_home) == 2


def test_a_region_that_cannot_be_asked_hides_no_type_of_another() -> None:
    """It is an error only where nobody else knows the type."""
    sessions = Sessions("us-east-1")
    on_the_wire(sessions.ec2("us-east-1"), lambda: ec2_error("Blocked", "not now"))
    machines = Machines(sessions, SystemClock())

    with pytest.raises(CloudError, match="not now"):
        machines.describe("m5.large", ["us-east-1"])
    assert machines.describe("m5.large", ["us-east-1", "us-west-2"]) is not None
