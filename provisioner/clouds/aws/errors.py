"""AWS's words for no, by what the caller should do next; and the one door through which they pass.

Codes and reactions: EC2 API error codes; "Spot request status"; Karpenter's list of capacity errors.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager

from botocore import exceptions as raw
from botocore.parsers import ResponseParserError

from provisioner.errors import (
    AccelctlError,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsRefused,
    HeldByOwner,
    InstanceNotFound,
    InsufficientCapacity,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TokenReused,
)

CAPACITY = {
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "MaxSpotFleetRequestCountExceeded",
    "ReservationCapacityExceeded",
    "SpotMaxPriceTooLow",
    "UnfulfillableCapacity",
}
"""The next offering; this one is left alone for a few minutes."""
REMOVED = {"InvalidSubnetID.NotFound", "InvalidGroup.NotFound", "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}
"""The next offering: what a launch there rests on is gone, or was replaced a moment ago."""
NOT_SOLD_THERE = {"Unsupported", "InvalidFleetConfiguration", "UnsupportedOperation.InstanceTypeNotSupported"}
"""The next offering; this one is left alone for good."""
QUOTA = {
    "MaxSpotInstanceCountExceeded",
    "VcpuLimitExceeded",
    "InstanceLimitExceeded",
    "VpcLimitExceeded",
    "AddressLimitExceeded",
    "NatGatewayLimitExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "SecurityGroupLimitExceeded",
    "LimitExceeded",
}
LAUNCHES = {"ec2:RunInstances", "ec2:CreateFleet"}
THROTTLED = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "EC2ThrottledException",
    "MaxFleetCountExceeded",
    "SlowDown",
    "TooManyRequestsException",
    "RequestThrottled",
}
UNAVAILABLE = {"InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable", "RequestTimeout", "500", "503"}
IN_USE = {
    "ConcurrentModification",
    "DeleteConflict",
    "DependencyViolation",
    "IncorrectState",
    "InvalidGroup.InUse",
    "InvalidIPAddress.InUse",
    "InvalidNetworkInterface.InUse",
    "InvalidPlacementGroup.InUse",
    "OperationAborted",
    "VolumeInUse",
}
"""Something else has to go, or to settle, first."""
NO_SERVICE_ROLE = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
SERVICE_ROLE = (
    "an administrator makes that role once for the account: 'aws iam create-service-linked-role --aws-service-name "
    "{}.amazonaws.com'; or grant iam:CreateServiceLinkedRole to this caller."
)
NAMED = re.compile(r"not authorized to perform: ([a-z0-9-]+:\w+)")
REFUSED = {
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    NO_SERVICE_ROLE,
    "OperationNotPermitted",
    "403",
}
ACCOUNT = {"OptInRequired", "PendingVerification", "Blocked"}
STRANGER = {
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
}
"""The credentials themselves are wrong or too old."""
GONE = {"InvalidInstanceID.NotFound"}
REUSED = {"IdempotentParameterMismatch", "IdempotentInstanceTerminated"}

NO_CREDENTIALS = (
    "AWS's own chain is used: environment, ~/.aws, SSO or a role; 'aws configure' or 'aws sso login' sets it up."
)


def code_of(error: raw.ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def is_gone(code: str) -> bool:
    """What a removal may hear about something that was removed before."""
    return code.endswith(("NotFound", "NotFoundException", "NoSuchEntity", "NoSuchBucket", "PlacementGroup.Unknown"))


@contextmanager
def translated(action: str) -> Generator[None]:
    """Whatever botocore raises inside becomes an error of ours. `action` is the permission, as in ec2:RunInstances."""
    try:
        yield
    except raw.ClientError as error:
        raise meaning(error, action) from error
    except (raw.NoCredentialsError, raw.PartialCredentialsError, raw.CredentialRetrievalError) as error:
        raise CredentialsRefused("there are no AWS credentials.", hint=NO_CREDENTIALS) from error
    except (raw.TokenRetrievalError, raw.SSOTokenLoadError, raw.UnauthorizedSSOTokenError) as error:
        raise CredentialsRefused("the AWS sign-on has expired.", hint="'aws sso login' renews it.") from error
    except raw.ProfileNotFound as error:
        raise ConfigError(f"AWS_PROFILE: {error}.", hint=NO_CREDENTIALS) from error
    except raw.NoRegionError as error:
        raise ConfigError("region: none is set.", hint="use --region, or set AWS_REGION.") from error
    except (raw.InvalidRegionError, raw.UnknownRegionError) as error:
        raise ConfigError(f"region: {error}.", hint="such as us-east-1.") from error
    except raw.ParamValidationError as error:
        raise ConfigError(f"{action}: {error}.") from error
    except (raw.HTTPClientError, raw.ConnectionError) as error:
        raise CloudUnavailable(f"AWS did not answer {action}: {error}.", hint="try again in a moment.") from error
    except (raw.BotoCoreError, ResponseParserError) as error:
        said = str(error).splitlines()[0].rstrip(":.")
        raise CloudUnavailable(f"AWS's answer to {action} cannot be read: {said}.", hint="try again.") from error


def meaning(error: raw.ClientError, action: str) -> AccelctlError:
    """By code; by status only where the code is not known."""
    found = by_code(code_of(error), error.response.get("Error", {}).get("Message", ""), action)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if type(found) is CloudError and status >= 500:
        return CloudUnavailable(found.message, code=found.code, hint="try again in a moment.")
    return found


def denied(code: str, said: str, action: str) -> PermissionDenied:
    """What is missing may be another permission than that of the call: AWS's words name it."""
    if code == NO_SERVICE_ROLE:
        service = "ec2fleet" if "fleet" in said.lower() else "spot"
        return PermissionDenied(f"{action} is not allowed: {said}.", code=code, hint=SERVICE_ROLE.format(service))
    named = NAMED.search(said)
    missing = named[1] if named else action
    return PermissionDenied(f"{missing} is not allowed: {said}.", code=code, hint=f"grant {missing} to this caller.")


def by_code(code: str, message: str, action: str) -> AccelctlError:
    """What a code means, with AWS's own words where they help."""
    said = message.partition("Encoded authorization failure")[0].strip().rstrip(".") or code
    if code in CAPACITY | NOT_SOLD_THERE or (code in REMOVED and action in LAUNCHES):
        return InsufficientCapacity(f"{said}.", code=code)
    if code in THROTTLED:
        return RateLimited(f"AWS asks to slow down: {code}.", code=code, hint="try again in a moment.")
    if code in UNAVAILABLE:
        return CloudUnavailable(f"AWS failed in {action}: {code}.", code=code, hint="try again in a moment.")
    if code in IN_USE:
        return CloudUnavailable(
            f"{action}: {said}.", code=code, hint="it waits for something else; try again in a moment."
        )
    if code in QUOTA:
        return QuotaExceeded(f"a quota of the account is used up: {code}.", code=code, hint="see 'accelctl doctor'.")
    if "disableApi" in said:
        return HeldByOwner(f"{said}.", code=code, hint="its owner protected it.")
    if code in REFUSED:
        return denied(code, said, action)
    if code in STRANGER:
        return CredentialsRefused(f"AWS does not accept the credentials: {code}.", hint=NO_CREDENTIALS)
    if code in ACCOUNT:
        return CloudError(f"the account may not do this yet: {said}.", code=code, hint="AWS support can say why.")
    if code in REUSED:
        return TokenReused(f"AWS refused {action}: {said}.", code=code)
    if code in GONE:
        return InstanceNotFound(f"{said}.", code=code)
    if code.startswith(("Invalid", "Missing", "Malformed", "Validation")):
        return ConfigError(f"AWS does not accept a value of {action}: {said} ({code}).")
    return CloudError(f"AWS refused {action}: {said} ({code}).", code=code)
