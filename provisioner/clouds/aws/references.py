"""What a job's role will look up by name: a name that leads nowhere is found before a machine is paid for."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from botocore.exceptions import ClientError

from provisioner.clouds.aws.errors import code_of, translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.domain.jobs import Grant
from provisioner.errors import CloudError

ABSENT = {"404", "NoSuchBucket", "ResourceNotFoundException"}


class References:
    """Looked at with the caller's own keys, and never at a secret's value."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def dangling(self, secrets: Mapping[str, str], access: Iterable[Grant], region: str) -> Iterator[str]:
        """Each in words. What the caller may not look at, or what does not answer, counts as there."""
        for name, reference in secrets.items():
            if self._is_absent(lambda reference=reference: self._find_secret(reference, region)):
                yield f"--secret: {name} leads to nothing in {place_of(reference, region)}: {reference}"
        for bucket in sorted({one.bucket for one in access}):
            if self._is_absent(lambda bucket=bucket: self._find_bucket(bucket)):
                yield f"--access: there is no bucket '{bucket}'"

    def _is_absent(self, find: Callable[[], bool]) -> bool:
        try:
            return not find()
        except CloudError:
            return False

    def _find_secret(self, reference: str, region: str) -> bool:
        kind, _, rest = reference.partition(":")
        if kind == "ssm":
            wanted = [{"Key": "Name", "Option": "Equals", "Values": [rest]}]
            with translated("ssm:DescribeParameters"):
                pages = self._sessions.client("ssm", region).get_paginator("describe_parameters")
                return any(page["Parameters"] for page in pages.paginate(ParameterFilters=wanted))
        client = self._sessions.client("secretsmanager", place_of(reference, region))
        with translated("secretsmanager:DescribeSecret"):
            return found(lambda: client.describe_secret(SecretId=rest))

    def _find_bucket(self, bucket: str) -> bool:
        with translated("s3:ListBucket"):
            return found(lambda: self._sessions.s3().head_bucket(Bucket=bucket))


def place_of(reference: str, region: str) -> str:
    """That of a whole ARN, else the job store's, where machines look secrets up."""
    return reference.split(":")[4] if reference.startswith("secretsmanager:arn:") else region


def found(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ClientError as error:
        if code_of(error) in ABSENT:
            return False
        raise
    return True
