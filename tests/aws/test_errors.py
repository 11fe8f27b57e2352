"""AWS's words for no, as they come over the wire, become errors named by their remedy."""

from pathlib import Path

import pytest

from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.errors import (
    AccelctlError,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsRefused,
    InstanceNotFound,
    InsufficientCapacity,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TokenReused,
)
from tests.aws.wire import answer, ec2_error, told

pytestmark = pytest.mark.usefixtures("no_account")
REMEDIES = [
    ("InsufficientInstanceCapacity", 500, InsufficientCapacity),
    ("UnfulfillableCapacity", 400, InsufficientCapacity),
    ("SpotMaxPriceTooLow", 400, InsufficientCapacity),
    ("Unsupported", 400, InsufficientCapacity),
    ("InvalidFleetConfiguration", 400, InsufficientCapacity),
    ("InsufficientFreeAddressesInSubnet", 400, InsufficientCapacity),
    ("ReservationCapacityExceeded", 400, InsufficientCapacity),
    ("MaxSpotInstanceCountExceeded", 400, QuotaExceeded),
    ("VcpuLimitExceeded", 400, QuotaExceeded),
    ("InstanceLimitExceeded", 400, QuotaExceeded),
    ("RequestLimitExceeded", 503, RateLimited),
    ("Throttling", 400, RateLimited),
    ("EC2ThrottledException", 503, RateLimited),
    ("MaxFleetCountExceeded", 400, RateLimited),
    ("InternalError", 500, CloudUnavailable),
    ("Unavailable", 503, CloudUnavailable),
    ("SomethingNew", 502, CloudUnavailable),
    ("DependencyViolation", 400, CloudUnavailable),
    ("InvalidParameterValue", 400, ConfigError),
    ("InvalidParameterCombination", 400, ConfigError),
    ("MissingParameter", 400, ConfigError),
    ("InvalidAMIID.NotFound", 400, ConfigError),
    ("InvalidAMIID.Malformed", 400, ConfigError),
    ("InvalidSubnetID.NotFound", 400, ConfigError),
    ("InvalidGroup.NotFound", 400, ConfigError),
    ("InvalidKeyPair.NotFound", 400, ConfigError),
    ("InvalidInstanceType", 400, ConfigError),
    ("InvalidUserData.Malformed", 400, ConfigError),
    ("InvalidLaunchTemplateId.NotFound", 400, ConfigError),
    ("AuthFailure", 401, CredentialsRefused),
    ("ExpiredToken", 400, CredentialsRefused),
    ("UnauthorizedOperation", 403, PermissionDenied),
    ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", 403, PermissionDenied),
    ("OptInRequired", 403, CloudError),
    ("PendingVerification", 400, CloudError),
    ("Blocked", 400, CloudError),
    ("IdempotentParameterMismatch", 400, TokenReused),
    ("UnsupportedOperation", 400, CloudError),
    ("InvalidInstanceID.NotFound", 400, InstanceNotFound),
]


def describe(sessions: Sessions) -> None:
    with translated("ec2:DescribeInstances"):
        sessions.ec2("us-east-1", once=True).describe_instances()


@pytest.mark.parametrize(("code", "status", "remedy"), REMEDIES)
def test_each_code_is_an_error_named_by_its_remedy(code: str, status: int, remedy: type[AccelctlError]) -> None:
    """One code, one remedy, one exit code; and the launching client does not ask twice by itself."""
    sessions = Sessions("us-east-1")
    called = told(sessions, ec2_error(code, status=status))

    with pytest.raises(AccelctlError) as refusal:
        describe(sessions)

    assert type(refusal.value) is remedy
    assert refusal.value.exit_code == (2 if issubclass(remedy, ConfigError) else 4)
    assert called == ["DescribeInstances"]


def test_a_missing_permission_is_named_without_its_blob() -> None:
    """The hint names the permission; the encoded message that EC2 adds is left out."""
    sessions = Sessions("us-east-1")
    told(sessions, ec2_error("UnauthorizedOperation", "You may not. Encoded authorization failure message: AbC", 403))

    with pytest.raises(PermissionDenied) as refusal:
        describe(sessions)

    assert "ec2:DescribeInstances" in refusal.value.hint
    assert "AbC" not in refusal.value.message


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        (
            "UnauthorizedOperation",
            "User: arn:aws:iam::1:user/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r",
            "grant iam:PassRole to this caller",
        ),
        (
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
            "--aws-service-name spot.amazonaws.com",
        ),
        (
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role for EC2 Fleet.",
            "--aws-service-name ec2fleet.amazonaws.com",
        ),
    ],
)
def test_the_permission_that_is_missing_is_named_and_not_the_calls(code: str, said: str, hint: str) -> None:
    """A launch also passes a role, and an account's first spot machine needs a role of EC2's own."""
    sessions = Sessions("us-east-1")
    told(sessions, ec2_error(code, said, 403))

    with pytest.raises(PermissionDenied) as refusal:
        describe(sessions)
    assert hint in refusal.value.hint


@pytest.mark.parametrize("body", ["<DescribeInstancesResponse><reservationSet><item>", "not XML at all"])
def test_an_answer_cut_short_is_no_defect_of_ours(body: str) -> None:
    """What cannot be read may still have taken effect: the same call, later."""
    sessions = Sessions("us-east-1")
    told(sessions, answer(200, body))

    with pytest.raises(CloudUnavailable):
        describe(sessions)


def test_nobody_there_is_the_same_call_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is the cloud's absence, not a user's mistake."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(CloudUnavailable):
        describe(Sessions("us-east-1"))


def test_no_credentials_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit 2 with a hint, before any call is made."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    with pytest.raises(ConfigError, match="no AWS credentials") as refusal:
        describe(Sessions("us-east-1"))
    assert "aws configure" in refusal.value.hint


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_PROFILE leads nowhere: exit 2, with its name."""
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this")

    with pytest.raises(ConfigError, match="nobody-has-this"):
        describe(Sessions("us-east-1"))


def test_the_region_may_be_said_as_every_sdk_of_aws_but_one_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION, which the hint names; a region that was asked for comes first."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert Sessions("").region == "eu-west-1"
    assert Sessions("us-west-2").region == "us-west-2"
