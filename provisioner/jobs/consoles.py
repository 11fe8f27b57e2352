"""What machines print while they boot, kept with their attempt: a cloud forgets it soon after the machine's end."""

from provisioner.clouds.base import KeepsConsole
from provisioner.domain.instances import Instance
from provisioner.domain.jobs import Attempt
from provisioner.errors import CloudError
from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.records import prefix

UNREADABLE = "accelctl: the console could not be read: "


class Consoles:
    """One for each attempt whose machine never reported."""

    def __init__(self, objects: Objects, cloud: KeepsConsole) -> None:
        self._objects, self._cloud = objects, cloud

    def keep(self, job: str, attempt: Attempt, instance: Instance) -> str:
        """What the machine printed; asked for again only while nothing is known of it.

        A console that cannot be had is no reason to keep the machine, or the job.
        """
        key = f"{prefix(job)}attempts/{attempt.number}/console.log"
        if known := self._known(key):
            return known
        try:
            printed = self._cloud.console_output(instance.id, region=instance.region)
        except CloudError as refusal:
            printed = f"{UNREADABLE}{refusal.message}\n"
        self._objects.put(key, printed.encode())
        return printed

    def _known(self, key: str) -> str:
        try:
            held = self._objects.get(key).decode(errors="replace")
        except ObjectMissing:
            return ""
        return "" if held.startswith(UNREADABLE) else held
