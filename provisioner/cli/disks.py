"""How large a job's disk is: as asked, or as the images of its machines want it."""

from collections.abc import Sequence

from provisioner.catalog import load
from provisioner.catalog.tariffs import ImageDisk, image_disk
from provisioner.errors import ConfigError


def disk_gib(asked: int | None, cloud: str, instance_types: Sequence[str]) -> int:
    """Raises ConfigError for one that an image does not fit on."""
    needed = {kind: image_disk_of(cloud, kind) for kind in instance_types}
    if asked is None:
        return max(disk.usual_gib for disk in needed.values())
    for kind, disk in needed.items():
        if asked < disk.least_gib:
            raise ConfigError(
                f"--disk: {asked} GiB is less than the {disk.least_gib} GiB of {kind}'s image.",
                hint=f"say --disk {disk.least_gib} at least, or leave it out.",
            )
    return asked


def image_disk_of(cloud: str, instance_type: str) -> ImageDisk:
    """As far as the catalog knows the type; of others the cloud refuses what is too small."""
    machine = load().find(cloud, instance_type)
    return image_disk(machine.image if machine else "", cloud=cloud)
