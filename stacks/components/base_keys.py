"""The configuration of the stacks base-aws, base-gcp and base-azure."""

from stacks.settings import Key, label, one_of, text

WAYS = ("ipv6", "gateway")
"""The free ones of AWS. What is paid by the hour is added by `accelctl setup --way`."""
COMMON = (
    Key(
        name="adopt", parse=one_of("true", "false"), default="false", help="true imports what is there under our names"
    ),
    Key(name="withData", parse=one_of("true", "false"), default="false", help="whether destroy takes the job store"),
    Key(name="owner", parse=text, default="", help="label; the caller's name by default"),
    Key(name="team", parse=label, default="unassigned", help="label"),
    Key(name="costCenter", parse=label, default="unassigned", help="label"),
)
AWS = (
    Key(name="bucket", parse=text, default="", help="the job store; accelctl-<account> by default"),
    Key(name="parts", parse=one_of("all", "network"), default="all", help="network for a region after the first"),
    Key(name="way", parse=one_of(*WAYS), default=WAYS[0], help="how machines reach what is not in the region's store"),
    *COMMON,
)
