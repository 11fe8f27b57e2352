"""How instances live and die: spot requests, reasons, what AWS refuses to stop. Over moto's models."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance, StateReason
from moto.ec2.models.spot_requests import SpotInstanceRequest

from provisioner.sandbox.market import Pool
from provisioner.sandbox.phases import LIVING

INTERRUPTED = ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination")
OWN_SHUTDOWN = ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
BLOCK_ENDED = ("Server.CapacityBlockEnded", "Server.CapacityBlockEnded: the Capacity Block is about to end")
"""AWS does not document this one."""
USER = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")


class Refused(EC2ClientError):
    """An EC2 error with its real code."""


class SpotRequest(SpotInstanceRequest):
    """moto's request record, for an instance that was launched without one."""

    def __init__(self, instance: Instance, options: dict[str, Any], tags: dict[str, dict[str, str]], now: datetime):
        self.adopted = instance
        super().__init__(
            ec2_backend=instance.ec2_backend, spot_request_id=f"sir-{secrets.token_hex(4)}", tags=tags,
            price=options.get("MaxPrice", ""), image_id=instance.image_id, instance_type=instance.instance_type,
            spot_instance_type=options.get("SpotInstanceType", "one-time"), placement=instance.placement.zone,
            instance_interruption_behaviour=options.get("InstanceInterruptionBehavior", "terminate"),
            user_data=None, subnet_id=instance.subnet_id, security_groups=[], key_name=instance.key_name,
            valid_from=None, valid_until=None, launch_group=None, availability_zone_group=None, kernel_id=None,
            ramdisk_id=None, monitoring_enabled=False, spot_fleet_id=None,
        )  # fmt: skip
        self.update_time = stamp(now)
        instance.lifecycle, instance.spot_instance_request_id = "spot", self.id
        instance.ec2_backend.spot_instance_requests[self.id] = self

    def launch_instance(self) -> Instance:
        return self.adopted

    @property
    def status(self) -> dict[str, Any]:
        """With the time of the change; moto's is always the same one."""
        return super().status | {"UpdateTime": self.update_time}

    def mark(self, state: str, code: str, now: datetime) -> None:
        self.state, self._status_code, self.update_time = state, code, stamp(now)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def request_of(instance: Instance) -> SpotRequest | None:
    return instance.ec2_backend.spot_instance_requests.get(getattr(instance, "spot_instance_request_id", None))


def pool_of(instance: Instance) -> Pool:
    return instance.instance_type, instance.placement.zone


def living(backend: EC2Backend) -> Iterator[Instance]:
    return (instance for instance in backend.all_instances() if instance.state in LIVING)


def end(instance: Instance, reason: tuple[str, str], *, request_state: str, now: datetime, stop: bool = False) -> None:
    """Stops or terminates with the reason that AWS gives; the first end of an instance is the one that counts."""
    if stop:
        instance.stop()
    else:
        instance.terminate()
    explain(instance, reason, now)
    if request := request_of(instance):
        request.mark("closed", request_state, now)


def explain(instance: Instance, reason: tuple[str, str], now: datetime) -> None:
    code, message = reason
    instance.state_reason = StateReason(message, code)
    said = code if code == INTERRUPTED[0] else "User initiated"
    instance._reason = said if code == INTERRUPTED[0] else f"{said} ({now:%Y-%m-%d %H:%M:%S} GMT)"
    instance.sandbox_ended_at = now
