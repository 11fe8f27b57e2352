"""Clients of AWS's services: one session, one client for each service and region, everything bounded."""

import os
import re
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from provisioner.clouds.aws.allowance import Allowance
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.base import Caller
from provisioner.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

SLOWLY: dict[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": 5},
    "connect_timeout": 10,
    "read_timeout": 60,
}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
ANY_REGION = "us-east-1"
"""One that every account has: the one that was asked for may not exist."""
ONCE: dict[str, Any] = SLOWLY | {"retries": {"total_max_attempts": 1}}
"""botocore takes a capacity refusal (HTTP 500) for a fault of the server: launches retry by themselves."""


class Sessions:
    """Credentials are found by boto3's own chain. Thread-safe."""

    def __init__(self, region: str = "") -> None:
        self._region = region
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._lock = threading.Lock()
        self.allowance = Allowance()

    @cached_property
    def session(self) -> Any:
        import boto3

        with translated("sts:GetCallerIdentity"):
            # AWS's other SDKs and its Lambda say AWS_REGION, which boto3 alone does not read
            made = boto3.Session(region_name=self._region or os.environ.get("AWS_REGION") or None)
        core: Any = made._session
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
        return made

    def client(self, service: str, region: str = "", *, once: bool = False) -> Any:
        """A client; with `once`, one that never repeats a call by itself. Raises ConfigError without credentials."""
        from botocore.config import Config

        with self._lock:
            key = (service, region, once)
            if key not in self._clients:
                config: Any = Config(**(ONCE if once else SLOWLY), user_agent_extra="accelctl")
                with translated(f"{service}:*"):
                    self._refuse_keyless()
                    made = self._made(service, region, config)
                self.allowance.watch(made, region)
                self._clients[key] = made
            return self._clients[key]

    def _refuse_keyless(self) -> None:
        if self.session.get_credentials() is None:
            raise ConfigError(
                "there are no AWS credentials.",
                hint="'aws configure' or 'aws sso login' sets them up; 'accelctl doctor' checks.",
            )

    def _made(self, service: str, region: str, config: Any) -> Any:
        try:
            return self.session.client(service, region_name=region or None, config=config)
        except ValueError as wrong:
            raise ConfigError(f"AWS's settings: {wrong}.", hint="see AWS_ENDPOINT_URL and the profile.") from wrong

    def ec2(self, region: str, *, once: bool = False) -> "EC2Client":
        return self.client("ec2", region, once=once)

    @property
    def iam(self) -> "IAMClient":
        return self.client("iam", self.anywhere)

    def s3(self, region: str = "") -> "S3Client":
        return self.client("s3", region or self.anywhere)

    def time(self) -> datetime:
        """AWS's own, to the second, off the header of an answer."""
        with translated("sts:GetCallerIdentity"):
            answer = self.client("sts", self.anywhere).get_caller_identity()
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).replace(tzinfo=UTC)

    @property
    def region(self) -> str:
        """The credentials' own. Raises ConfigError where none is set, or there are no credentials."""
        found = self._region or self.session.region_name
        if not found:
            self._refuse_keyless()
            raise ConfigError("region: none is set.", hint="use --region, or set AWS_REGION.")
        return found

    @property
    def anywhere(self) -> str:
        """For what is the same in every region: any will do."""
        return self._region or self.session.region_name or "us-east-1"

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """Those that the account has enabled."""
        with translated("ec2:DescribeRegions"):
            held = self.ec2(ANY_REGION).describe_regions()["Regions"]
        return tuple(found.get("RegionName", "") for found in held)

    def zones(self, region: str) -> tuple[str, ...]:
        """Ordinary ones: local and wavelength zones are not what accelerators are sold in."""
        wanted = {"zone-type": "availability-zone", "state": "available"}
        filters: Any = [{"Name": name, "Values": [value]} for name, value in wanted.items()]
        with translated("ec2:DescribeAvailabilityZones"):
            found = self.ec2(region).describe_availability_zones(Filters=filters)["AvailabilityZones"]
        return tuple(sorted(zone.get("ZoneName", "") for zone in found))

    @cached_property
    def caller(self) -> Caller:
        with translated("sts:GetCallerIdentity"):
            found = self.client("sts", self.anywhere).get_caller_identity()
        return Caller(account=found["Account"], name=found["Arn"].rsplit("/", 1)[-1].rsplit(":", 1)[-1][:63])


def moment(value: Any) -> datetime:
    """As botocore reads times, several times faster: a listing of thousands of machines holds little else."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if ISO.fullmatch(value):
        return datetime.fromisoformat(value)
    from botocore.utils import parse_timestamp

    return parse_timestamp(value)


def rows(client: Any, operation: str, items: str, **asked: Any) -> list[Any]:
    """What an EC2 listing holds, every page."""
    with translated(f"ec2:{camel(operation)}"):
        if not client.can_paginate(operation):
            return list(getattr(client, operation)(**asked)[items])
        return [row for page in client.get_paginator(operation).paginate(**asked) for row in page[items]]


def camel(operation: str) -> str:
    """As permissions name it: describe_vpcs is DescribeVpcs."""
    return "".join(word.title() for word in operation.split("_"))
