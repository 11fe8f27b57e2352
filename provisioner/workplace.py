"""What a command works with: settings, the cloud, the job store, the clock. Made when first used."""

import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from provisioner.catalog.tariffs import tariff
from provisioner.clock import SystemClock
from provisioner.clouds.base import Caller, JobStore
from provisioner.clouds.registry import Cloud, provider
from provisioner.domain.jobs import Cost, JobRecord
from provisioner.errors import CloudError, ConfigError
from provisioner.jobs.accounts import Accounts
from provisioner.jobs.objects import Objects, open_objects
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import Records
from provisioner.jobs.step import Stepper
from provisioner.settings import Scope, Settings, load

if TYPE_CHECKING:
    from provisioner.reaper.round import Rounds


STORELESS = "there is no job store: no job is known, and nothing is kept for the week; 'accelctl setup' makes it"


class Workplace:
    """One command's surroundings."""

    def __init__(self, flags: Mapping[str, Any] | None = None, *, settings: Settings | None = None) -> None:
        self.settings = settings or load(flags)
        self.clock = SystemClock()

    @cached_property
    def cloud(self) -> Cloud:
        return provider(
            self.settings["cloud"],
            clock=self.clock,
            region=self.settings["region"],
            store=self.settings["store"],
            only=self.settings["look_in"],
        )

    @cached_property
    def caller(self) -> Caller:
        return self.cloud.caller()

    @property
    def owner(self) -> str:
        return self.settings["owner"] or self.caller.name

    @cached_property
    def store(self) -> JobStore:
        """Raises ConfigError before the first setup."""
        found = self.cloud.job_store()
        if found is None:
            raise ConfigError("there is no job store yet.", hint="'accelctl setup' makes it.")
        return found

    @property
    def prepared(self) -> Sequence[str]:
        """Where jobs can run; none before the first setup."""
        return self.cloud.prepared_regions() if self.cloud.job_store() else ()

    def inhabited(self, *, everybodys: bool = False) -> Iterator[str]:
        """Where there may be machines to look at. Raises Unseen at the end, where not every region can be listed."""
        return self.cloud.inhabited_regions(everybodys=everybodys or self.settings["scope"] is Scope.ACCOUNT)

    @cached_property
    def objects(self) -> Objects:
        return open_objects(self.store.url, region=self.store.region, credentials=self.cloud.store_credentials())

    @cached_property
    def records(self) -> Records:
        return Records(self.objects)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(cloud=self.cloud, tariff=tariff())

    def cost_so_far(self, record: JobRecord) -> Cost:
        """Of the whole job; what a running machine says it moved is counted.

        Unknown where a price or that word is refused: no figure keeps anybody from seeing a job.
        """
        live = record.attempt if record.attempt and record.attempt.cost is None else None
        try:
            report = Progress(self.objects).readable(record.id, live.number) if live and live.nodes else None
            return self.accounts.total(record, report, self.clock.now())
        except (CloudError, ConfigError):
            return self.accounts.total(record, None, self.clock.now(), priced=False)

    def kept_bytes(self, record: JobRecord) -> int | None:
        """In the store under the job's name, and its work folder; None where it cannot be listed just now."""
        try:
            return Progress(self.objects).kept_bytes(record)
        except (CloudError, ConfigError):
            return None

    @cached_property
    def stepper(self) -> Stepper:
        return self._stepper_of(self.objects)

    def _stepper_of(self, objects: Objects) -> Stepper:
        from provisioner.agent.bundle import user_data

        return Stepper(
            objects=objects, cloud=self.cloud, clock=self.clock, holder=holder(), tariff=tariff(),
            user_data=user_data,
        )  # fmt: skip

    def rounds(self, token: str, **more: Any) -> "Rounds":
        """The reaper's, as the settings have them. Raises ConfigError for thresholds that cannot be understood.

        Without a job store no job is known, and what happens is remembered nowhere.
        """
        from provisioner.reaper.round import Rounds
        from provisioner.reaper.thresholds import configured

        said = self.settings.values["thresholds"]
        objects = self.objects if self.cloud.job_store() else open_objects("memory://")
        return Rounds(
            cloud=self.cloud, objects=objects, stepper=self._stepper_of(objects), clock=self.clock, token=token,
            everybodys=self.settings["scope"] is Scope.ACCOUNT, topic=self.settings["owner_topic"],
            thresholds=configured(said.value or (), said.source), **more,
        )  # fmt: skip


ONE_OF_MANY = secrets.token_hex(3)
"""Machines may have the same name, and processes the same number."""


def holder() -> str:
    """Names this process in leases."""
    return f"{socket.gethostname()}-{os.getpid()}-{ONE_OF_MANY}"
