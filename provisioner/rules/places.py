"""In which region a resource is, off the inputs that Pulumi gives it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from provisioner.rules.aws import Inputs, at
from provisioner.rules.facts import UNKNOWN, Facts, Unknown

SAID_BY = ("region", "location", "zone", "availabilityZone")
WITHIN = re.compile(r"(?P<region>[a-z]+(?:-[a-z]+)+-\d+|[a-z]+-[a-z]+\d+).*")
"""A zone of AWS (us-east-1a) or of Google (us-central1-a) begins with its region."""


def region_of(inputs: Any) -> str | Unknown:
    """UNKNOWN where it is not known yet, or said by nothing but the provider."""
    told = next((one for name in SAID_BY if (one := at(inputs, name)) is not None), UNKNOWN)
    return UNKNOWN if isinstance(told, Unknown) else written(str(told))


def written(place: str) -> str:
    """East US is eastus, and a zone its region."""
    plain = place.rsplit("/", 1)[-1].lower().replace(" ", "")
    found = WITHIN.fullmatch(plain)
    return found["region"] if found else plain


def located(read: Callable[[str, Inputs], Facts]) -> Callable[[str, Inputs], Facts]:
    """The reader, which also says where what it reads is."""

    def reader(subject: str, inputs: Inputs) -> Facts:
        found, region = read(subject, inputs), region_of(inputs)
        if isinstance(region, Unknown):
            return found
        return replace(found, region=region, pools=tuple(replace(one, region=region) for one in found.pools))

    return reader
