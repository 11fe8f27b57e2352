"""What jobs need once on Azure, as data: names that do not change, so that whoever needs a thing finds it."""

import hashlib

GROUP, NETWORK, SUBNET, CONTAINER = "accelctl", "accelctl", "machines", "jobs"
CIDR = "10.119.0.0/16"
SKU = "Standard_LRS"


def account_name(subscription: str) -> str:
    """Of 3 to 24 small letters and digits, and nobody else's in all of Azure."""
    return f"accelctl{hashlib.sha256(subscription.encode()).hexdigest()[:16]}"
