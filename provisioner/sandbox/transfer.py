"""What AWS charges for a GiB from region to region: by where it comes from, as its price list of 2026-08-09 has it.

https://aws.amazon.com/ec2/pricing/on-demand/, "Data Transfer OUT From Amazon EC2 To other AWS regions".
"""

from decimal import Decimal

OUT_OF = {
    "0.02": "ca-central-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 "
            "us-east-1 us-east-2 us-west-1 us-west-2",
    "0.08": "ap-northeast-2",
    "0.086": "ap-south-1 ap-south-2",
    "0.09": "ap-east-1 ap-northeast-1 ap-northeast-3 ap-southeast-1",
    "0.098": "ap-southeast-2 ap-southeast-6",
    "0.1105": "me-central-1 me-south-1",
    "0.138": "ap-southeast-3 sa-east-1",
    "0.14": "ap-east-2 ap-southeast-4 ap-southeast-5 ap-southeast-7 ca-west-1 mx-central-1",
    "0.147": "af-south-1",
    "0.15": "il-central-1",
}  # fmt: skip
"""USD, and the regions out of which that is paid at most."""
INTO = {"ap-southeast-7": Decimal("0.08"), "ca-west-1": Decimal("0.05"), "mx-central-1": Decimal("0.05")}
"""USD at least, wherever it comes from."""
PRICES = {region: Decimal(usd) for usd, regions in OUT_OF.items() for region in regions.split()}


def between_regions(source: str, target: str) -> Decimal:
    """Nothing within one region."""
    if source == target:
        return Decimal(0)
    return max(PRICES.get(source, max(PRICES.values())), INTO.get(target, Decimal(0)))
