"""IAM is consistent in the end: what it denies just after it was made is asked for again."""

import secrets

import pytest

from provisioner.catalog import labels
from provisioner.clouds.aws.identity import Identities
from provisioner.clouds.aws.sessions import Sessions
from provisioner.clouds.base import IdentityRequest
from provisioner.errors import CloudUnavailable
from tests.aws.wire import answer, once_on_the_wire

pytestmark = pytest.mark.usefixtures("sandbox")
UNKNOWN = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code>"
    "<Message>it cannot be found</Message></Error></ErrorResponse>"
)


@pytest.mark.parametrize(
    "operation",
    ["CreateRole", "PutRolePolicy", "CreateInstanceProfile", "GetInstanceProfile", "AddRoleToInstanceProfile"],
)
def test_whatever_iam_does_not_know_yet_is_asked_for_again(operation: str) -> None:
    """At each call in turn: the boundary, the role or the profile may be a moment old."""
    sessions, job = Sessions("us-east-1"), f"lag-{secrets.token_hex(4)}"
    identities = Identities(sessions)
    identities.prepare()
    wanted = IdentityRequest(name=f"accelctl-{job}", job=job, labels=labels.ours(job=job), store="s3://s", read=())
    once_on_the_wire(sessions.iam, operation, answer(404, UNKNOWN))

    with pytest.raises(CloudUnavailable, match="cannot be found"):
        identities.make(wanted)
    identities.make(wanted)
    identities.remove(wanted.name)
