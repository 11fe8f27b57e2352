"""Where moto's listings are wrong or slow: tags, filters, and instances that are too new to be seen."""

import copy
import fnmatch
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import utils
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses.instances import InstanceResponse

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap

MORE_FILTERS = {
    "instance-lifecycle": "lifecycle",
    "client-token": "client_token",
    "placement-group-name": "placement.group_name",
    "spot-instance-request-id": "spot_instance_request_id",
}


class Listings:
    """`hidden_for` seconds a new instance is not listed to anyone outside: AWS is eventually consistent."""

    def __init__(self, clock: SandboxClock, hidden_for: float) -> None:
        self.clock, self.hidden_for = clock, hidden_for

    def install(self) -> None:
        utils.filter_dict_attribute_mapping.update(MORE_FILTERS)
        wrap(utils, "instance_value_in_filter_values", wildcard_match)
        wrap(TaggedEC2Resource, "get_tags", direct_tags)
        LaunchTemplate.tags = property(TaggedEC2Resource.get_tags, lambda *_: None)  # moto keeps those of its creation
        wrap(InstanceResponse, "describe_instances", self.describe_instances)

    def describe_instances(self, original: Any, this: InstanceResponse) -> ActionResult:
        """As moto answers, without what is too new to be seen; asked for by id, that is unknown."""
        hidden = {one.id for one in this.ec2_backend.all_instances() if self.hidden(one)}
        if asked := hidden.intersection(this._get_param("InstanceIds", []) or []):
            raise InvalidInstanceIdError(min(asked))
        body = original(this).result
        shown = [without(reservation, hidden) for reservation in body["Reservations"]]
        return ActionResult(body | {"Reservations": [one for one in shown if one.instances]})

    def hidden(self, instance: Any) -> bool:
        born = getattr(instance, "sandbox_launched_at", None)
        return born is not None and (self.clock.now() - born).total_seconds() < self.hidden_for


def without(reservation: Any, hidden: set[str]) -> Any:
    shown = copy.copy(reservation)
    shown.instances = [one for one in reservation.instances if one.id not in hidden]
    return shown


def direct_tags(_: Any, this: TaggedEC2Resource) -> list[dict[str, str]]:
    """moto scans the tags of every resource for each resource: describing 1,000 instances is then quadratic."""
    kind = utils.EC2_PREFIX_TO_RESOURCE.get(utils.get_prefix(this.id), "") if this.id else ""
    held = this.ec2_backend.tags.get(this.id, {})
    return [{"resource_id": this.id, "resource_type": kind, "key": k, "value": v} for k, v in held.items()]


def wildcard_match(original: Any, value: Any, wanted: list[str]) -> bool:
    return original(value, wanted) or any(fnmatch.fnmatchcase(str(value), pattern) for pattern in wanted)
