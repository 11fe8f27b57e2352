# pyright: basic - it replaces functions of moto
"""Where moto's listings are wrong or slow: tags, filters, and instances that are too new to be seen."""

import fnmatch
from typing import Any

from moto.ec2 import utils
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.core import TaggedEC2Resource

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap

MORE_FILTERS = {
    "instance-lifecycle": "lifecycle",
    "client-token": "client_token",
    "spot-instance-request-id": "spot_instance_request_id",
}


class Listings:
    """`hidden_for` seconds a new instance is not listed: AWS is eventually consistent."""

    def __init__(self, clock: SandboxClock, hidden_for: float) -> None:
        self.clock, self.hidden_for = clock, hidden_for

    def install(self) -> None:
        utils.filter_dict_attribute_mapping.update(MORE_FILTERS)
        wrap(utils, "instance_value_in_filter_values", wildcard_match)
        wrap(TaggedEC2Resource, "get_tags", direct_tags)
        wrap(EC2Backend, "describe_instances", self.describe_instances)
        wrap(EC2Backend, "all_reservations", self.reservations)
        wrap(EC2Backend, "get_reservations_by_instance_ids", self.reservations_by_id)

    def describe_instances(self, original: Any, backend: EC2Backend, *args: Any, **kwargs: Any) -> Any:
        return [one for one in original(backend, *args, **kwargs) if not self.hidden(one)]

    def reservations(self, original: Any, backend: EC2Backend, *args: Any, **kwargs: Any) -> Any:
        return [self.seen(one) for one in original(backend, *args, **kwargs) if self.seen(one).instances]

    def reservations_by_id(
        self, original: Any, backend: EC2Backend, instance_ids: list[str], *args: Any, **kw: Any
    ) -> Any:
        unseen = [one.id for one in backend.all_instances() if one.id in instance_ids and self.hidden(one)]
        if unseen:
            raise InvalidInstanceIdError(unseen[0])
        return original(backend, instance_ids, *args, **kw)

    def seen(self, reservation: Any) -> Any:
        reservation.instances = [one for one in reservation.instances if not self.hidden(one)]
        return reservation

    def hidden(self, instance: Any) -> bool:
        born = getattr(instance, "sandbox_launched_at", None)
        return born is not None and (self.clock.now() - born).total_seconds() < self.hidden_for


def direct_tags(_: Any, this: TaggedEC2Resource) -> list[dict[str, str]]:
    """moto scans the tags of every resource for each resource: describing 1,000 instances is then quadratic."""
    kind = utils.EC2_PREFIX_TO_RESOURCE.get(utils.get_prefix(this.id), "") if this.id else ""
    held = this.ec2_backend.tags.get(this.id, {})
    return [{"resource_id": this.id, "resource_type": kind, "key": k, "value": v} for k, v in held.items()]


def wildcard_match(original: Any, value: Any, wanted: list[str]) -> bool:
    return original(value, wanted) or any(fnmatch.fnmatchcase(str(value), pattern) for pattern in wanted)
