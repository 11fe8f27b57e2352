"""What jobs need once on AWS, as data: `accelctl setup` and the stack base-aws make the same of it."""

from ipaddress import IPv6Network
from itertools import islice
from typing import Any

NETWORK, ROUTES, SUBNET, GROUP, ENDPOINT, EGRESS = (
    "network", "routes", "subnet", "machines", "store-endpoint", "egress"
)  # fmt: skip
"""Values of the label `accelctl:kind`: what machines live in. Those of a NAT gateway are named after it."""
STORE, BOUNDARY_KIND = "store", "boundary"
OF_NETWORK = "accelctl:network"
"""On everything within a network; its value is the network's id. Of two networks, neither takes the other's parts."""
CIDR = "10.117"
EVERYTHING, EVERYTHING_IPV6 = "0.0.0.0/0", "::/0"
GROUP_NAME, GROUP_SAYS = "accelctl-machines", "accelctl: outwards only"
PATH, JOBS = "/accelctl/", "/accelctl/jobs/"
"""Of what IAM keeps for us."""
BOUNDARY = "accelctl-boundary"
MARKERS, PREPARED, PREPARING = "setup/aws/", ".json", ".preparing"
"""A region is marked before its first thing is made, so that what a killed setup left is looked for there."""
MARKED = "{}"
"""The content of a mark."""
ENCRYPTION, OWNERSHIP = "AES256", "BucketOwnerEnforced"
CLOSED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
UNFINISHED_AFTER_DAYS = 7
HEARTBEATS, HEARTBEATS_DAYS = "heartbeats/", 1


def network_block() -> str:
    return f"{CIDR}.0.0/16"


def ipv4_slice(number: int) -> str:
    """One of sixteen, with 4,091 addresses."""
    return f"{CIDR}.{number * 16}.0/20"


def ipv6_slice(block: str, number: int) -> str:
    """A /64 of the network's /56."""
    return str(next(islice(IPv6Network(block, strict=False).subnets(new_prefix=64), number, None)))


def slice_of(zone: str) -> int:
    """a is 0: a zone keeps its slice whichever others come and go."""
    return ord(zone[-1]) - ord("a")


def endpoint_service(region: str) -> str:
    return f"com.amazonaws.{region}.s3"


def bucket_name(account: str) -> str:
    return f"accelctl-{account}"


def boundary_arn(account: str) -> str:
    return f"arn:aws:iam::{account}:policy{PATH}{BOUNDARY}"


def marker(region: str) -> str:
    """The key that says that a region is prepared."""
    return f"{MARKERS}{region}{PREPARED}"


def tls_only(bucket: str) -> dict[str, Any]:
    """Nobody reads or writes in the clear."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }  # fmt: skip
