"""The configuration of the stacks base-aws, base-gcp and base-azure."""

from provisioner.catalog import azure
from stacks.components.gcp_names import PROJECT
from stacks.settings import BUCKET, LABELS, Key, one_of, shaped

WAYS = ("ipv6", "gateway")
"""The free ones of AWS. What is paid by the hour is added by `accelctl setup --way`."""
COMMON = (
    Key(
        name="adopt", parse=one_of("true", "false"), default="false", help="true imports what is there under our names"
    ),
    Key(name="withData", parse=one_of("true", "false"), default="false", help="whether destroy takes the job store"),
    *LABELS,
)
AWS = (
    Key(
        name="bucket", parse=shaped(BUCKET, "accelctl-123456789012"), default="",
        help="the job store; accelctl-<account> by default",
    ),
    Key(name="parts", parse=one_of("all", "network"), default="all", help="network for a region after the first"),
    Key(name="way", parse=one_of(*WAYS), default=WAYS[0], help="how machines reach what is not in the region's store"),
    *COMMON,
)  # fmt: skip
GCP = (
    PROJECT,
    Key(name="region", parse=shaped(r"[a-z]+-[a-z]+\d+", "us-central1"), default="us-central1", help="a region"),
    Key(
        name="bucket", parse=shaped(BUCKET, "accelctl-my-project"), default="",
        help="the job store; accelctl-<project> by default",
    ),
    *COMMON,
)  # fmt: skip
AZURE = (
    Key(name="location", parse=one_of(*azure.regions()), default="eastus", help="a region"),
    Key(
        name="account", parse=shaped(r"|[a-z0-9]{3,24}", "accelctlmine"), default="",
        help="the storage account; a name made of the subscription's by default",
    ),
    *COMMON,
)  # fmt: skip
