"""python -m provisioner.sandbox.pulumi.azure_native: the executable behind pulumi-resource-azure-native."""

import os
from typing import Any

import requests

from provisioner.sandbox.pulumi.arm import INVOKES, KINDS, Manager
from provisioner.sandbox.pulumi.kinds import Inputs
from provisioner.sandbox.pulumi.provider import Provider
from provisioner.sandbox.pulumi.serve import serve


def connect(service: str, config: Inputs) -> Any:
    """ARM where ARM_ENDPOINT leads, for the configured subscription."""
    subscription = config.get("subscriptionId") or os.environ["ARM_SUBSCRIPTION_ID"]
    return Manager(requests.Session(), os.environ["ARM_ENDPOINT"], subscription)


if __name__ == "__main__":
    serve(Provider("azure-native", KINDS, INVOKES, connect))
