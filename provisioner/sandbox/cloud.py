"""The cloud itself: machines, their interruptions, what they may reach. What changes it goes through here."""

import json
import secrets
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.events.models import events_backends

from provisioner.sandbox import buckets, images, profiles
from provisioner.sandbox.alarms import Alarms
from provisioner.sandbox.blocks import Blocks
from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.doors import Doors
from provisioner.sandbox.filters import Listings
from provisioner.sandbox.functions import Functions
from provisioner.sandbox.groups import Groups
from provisioner.sandbox.imds import Metadata
from provisioner.sandbox.labels import labels_of
from provisioner.sandbox.launches import Launches
from provisioner.sandbox.ledger import Ledger
from provisioner.sandbox.lifecycle import BLOCK_ENDED, INTERRUPTED, OWN_SHUTDOWN, end, request_of
from provisioner.sandbox.machines import Machines
from provisioner.sandbox.market import Market
from provisioner.sandbox.phases import LIVING, Phases
from provisioner.sandbox.placement import PlacementGroups
from provisioner.sandbox.quotas import Quotas
from provisioner.sandbox.reservations import Reservations
from provisioner.sandbox.schedules import Schedules
from provisioner.sandbox.session_manager import SessionManager

HIDDEN_FOR = 0.3


class NoSuchInstance(Exception):
    """Nobody knows the instance or the job."""


class SeveralInstances(ValueError):
    """A name that more than one machine goes by."""


class SandboxCloud:
    """One account with every region."""

    def __init__(self, root: Path) -> None:
        self.key = "AKIA" + secrets.token_hex(8).upper()
        """The developer's access key: nobody else's is taken, but for those of roles."""
        self.clock = SandboxClock()
        self.market, self.quotas = Market(self.clock), Quotas()
        self.reservations = Reservations(self.market, self.quotas, self.clock, self.clear)
        self.blocks = Blocks(self.reservations, self.clock)
        self.metadata, self.ledger = Metadata(self.clock), Ledger(self.market, self.clock, self.reservations)
        self.machines = Machines(root / "machines", self.environment, self.shut_down)
        self.lock = threading.RLock()
        self.url = ""
        self.phases = Phases(self.clock, self.lock, lambda instance: self.machines.reconcile([instance]))
        self.placement = PlacementGroups()
        self.doors, self.session_manager = Doors(), SessionManager()
        self.launches = Launches(self.market, self.quotas, self.clock, self.phases, self.placement, self.reservations)
        self.launches.install()
        self.listings = Listings(self.clock, HIDDEN_FOR)
        self.listings.install()
        self.schedules = Schedules(self.clock, self.client_of_role)
        self.schedules.install()
        self.functions = Functions(root, lambda: self.url, self.credentials, self.clock, self.client_of_role)
        self.functions.install()
        Alarms(self.clock).install()
        self.groups = Groups(self.clock, self.own_client)
        self.groups.install()
        images.install()
        buckets.install()
        profiles.install()

    def credentials(self, role: str, region: str) -> dict[str, str]:
        """Of a role that a service of the cloud's takes on."""
        from moto.sts.models import sts_backends

        sts = sts_backends[DEFAULT_ACCOUNT_ID]["aws"]
        held = sts.assume_role(region, "service", role, "", 3600, "")
        return {
            "AWS_ACCESS_KEY_ID": held.access_key_id, "AWS_SECRET_ACCESS_KEY": held.secret_access_key,
            "AWS_SESSION_TOKEN": held.session_token,
        }  # fmt: skip

    def client_of_role(self, service: str, region: str, role: str) -> Any:
        import boto3

        held = {name.lower(): value for name, value in self.credentials(role, region).items()}
        return boto3.Session(region_name=region, **held).client(service, endpoint_url=self.url)  # pyright: ignore - any service

    def own_client(self, service: str, region: str) -> Any:
        """What a service of the cloud's does for the developer, it does over the wire with the developer's key."""
        import boto3

        secret = self.key  # any will do: signatures are not checked
        session = boto3.Session(self.key, secret, region_name=region)
        return session.client(service, endpoint_url=self.url)  # pyright: ignore - any service

    def instances(self) -> list[Instance]:
        return [one for backend in list(ec2_backends[DEFAULT_ACCOUNT_ID].values()) for one in backend.all_instances()]

    def find(self, name: str) -> Instance:
        """By id, or the living machine of a job by the job's id or name. Raises NoSuchInstance, SeveralInstances."""
        instances = self.instances()
        named = [one for one in instances if one.id == name] or [
            one for one in instances if one.state in LIVING and name in names_of(one)
        ]
        if not named:
            raise NoSuchInstance(name)
        if len(named) > 1:
            raise SeveralInstances(f"'{name}' has {len(named)} machines: say {' or '.join(one.id for one in named)}")
        return named[0]

    def reconcile(self) -> None:
        self.machines.reconcile(self.instances())

    def environment(self, instance: Instance) -> dict[str, str]:
        imds = f"{self.url}/_imds/{instance.id}"
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_REGION": instance.region_name,
            "AWS_DEFAULT_REGION": instance.region_name,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds,  # botocore and the other AWS SDKs
            "AWS_METADATA_ENDPOINT": imds, "AWS_ALLOW_HTTP": "true",  # obstore
        }  # fmt: skip

    def shut_down(self, instance_id: str) -> None:
        """The machine ran `shutdown`."""
        with self.lock:
            instance = self.find(instance_id)
            request = request_of(instance)
            one_time = request is not None and request.type == "one-time"
            stop = instance.instance_initiated_shutdown_behavior == "stop" and not one_time
            if instance.state == "running":
                self.launches.give_back(instance)
                end(
                    instance, OWN_SHUTDOWN, request_state="instance-terminated-by-user", now=self.clock.now(), stop=stop
                )
                if not stop:
                    self.phases.ended(instance)
            self.machines.reconcile([instance])

    def interrupt(self, name: str, notice: timedelta) -> tuple[str, datetime]:
        """Announces and later takes back; without notice it is simply gone."""
        instance = self.find(name)
        if instance.state not in LIVING:
            raise NoSuchInstance(name)
        when = self.clock.now() + notice
        if notice > timedelta(0):
            self.metadata.rebalance[instance.id], self.metadata.notices[instance.id] = self.clock.now(), when
            if request := request_of(instance):
                request.mark("active", "marked-for-termination", self.clock.now())
            self.announce(instance)
            self.clock.at(when, lambda: self.reclaim(instance))
        else:
            self.reclaim(instance)
        return instance.id, when

    def announce(self, instance: Instance) -> None:
        """The event that rules can match; AWS is the only one who may send it."""
        detail = {"instance-id": instance.id, "instance-action": "terminate"}
        events = events_backends[DEFAULT_ACCOUNT_ID][instance.region_name]
        warning = "EC2 Spot Instance Interruption Warning"
        events.put_events([{"Source": "aws.ec2", "DetailType": warning, "Detail": json.dumps(detail)}])

    def clear(self, instance: Instance) -> None:
        """Its capacity block is about to end."""
        self.reclaim(instance, BLOCK_ENDED)

    def reclaim(self, instance: Instance, reason: tuple[str, str] = INTERRUPTED) -> None:
        with self.lock:
            if instance.state in LIVING:
                end(instance, reason, request_state="instance-terminated-no-capacity", now=self.clock.now())
                self.phases.ended(instance)
            self.machines.reconcile([instance])


def names_of(instance: Instance) -> set[str | None]:
    """Of its job: the id, and the name."""
    labels = labels_of(instance)
    return {labels.get("accelctl:job"), labels.get("accelctl:name")}
