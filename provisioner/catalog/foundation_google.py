"""What jobs need once on Google Cloud, as data: names that do not change, so that whoever needs a thing finds it."""

NETWORK, MACHINES = "accelctl", "accelctl-machines"
CIDR = "10.118.0.0/16"
SAYS = "accelctl: what jobs need once"
USES = "roles/storage.objectUser"
"""What the machines' account may do with the job store, and with nothing else."""


def bucket_name(project: str) -> str:
    return f"accelctl-{project}"


def subnet_name(region: str) -> str:
    return f"{NETWORK}-{region}"
