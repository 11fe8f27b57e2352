"""Auto Scaling groups that live: they launch by RunInstances, replace what is lost, and heed their scheduled actions.

moto launches past the market, in the call itself, on demand whatever the policy says, and never looks again.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from botocore.exceptions import ClientError
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    ASG_NAME_TAG,
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    TerminateInstanceActivity,
    autoscaling_backends,
)
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models.instances import Instance

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap
from provisioner.sandbox.phases import LIVING
from provisioner.sandbox.recurrence import next_after

ELSEWHERE = ("InsufficientInstanceCapacity", "Unsupported", "SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded")
"""Refusals that another type or zone may mend; after any other the next look asks for the same again."""
EVERY = 0.5
"""Seconds between two looks at the groups."""


class Groups:
    """What a group does goes over the wire like any call, by a `client` for a service and a region."""

    def __init__(self, clock: SandboxClock, client: Callable[[str, str], Any]) -> None:
        self._clock, self._client = clock, client
        self.refused: dict[str, str] = {}
        """Why a group could not launch, by its name."""
        self._leaving: set[str] = set()

    def install(self) -> None:
        wrap(FakeAutoScalingGroup, "set_desired_capacity", self._wanted)
        wrap(FakeAutoScalingGroup, "update", within_bounds)
        wrap(AutoScalingBackend, "notify_terminate_instances", lambda *_: None)  # the next look sees it
        wrap(AutoScalingBackend, "put_scheduled_update_group_action", self._scheduled)
        wrap(AutoScalingBackend, "terminate_instance", self._let_go)
        threading.Thread(target=self._run, name="groups", daemon=True).start()

    def _wanted(self, original: Any, group: FakeAutoScalingGroup, wanted: int | None) -> None:
        group.desired_capacity = group.min_size if wanted is None else wanted

    def _let_go(self, original: Any, backend: AutoScalingBackend, instance_id: str, should_decrement: bool) -> Any:
        """A member ends, with its place in the group where that is asked for; no further than the minimum size."""
        held = {one.id: (name, one) for name, there in self._members(backend).items() for one in there}
        if instance_id not in held:
            raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        name, machine = held[instance_id]
        group = backend.autoscaling_groups[name]
        size = group.desired_capacity or 0
        if should_decrement and size <= (group.min_size or 0):
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({size}). Terminating instance without replacement will "
                "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
                "group's min size."
            )
        group.desired_capacity = size - bool(should_decrement)
        machine.autoscaling_group = group  # pyright: ignore[reportAttributeAccessIssue] - as moto itself has it
        self._leaving.add(machine.id)  # the next look ends it: no call may wait for another one
        return TerminateInstanceActivity(machine, size)

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            for backend in list(autoscaling_backends[DEFAULT_ACCOUNT_ID].values()):
                try:
                    self._look(backend)
                except Exception:  # noqa: BLE001 - the next look is half a second away
                    traceback.print_exc()

    def _look(self, backend: AutoScalingBackend) -> None:
        groups, members = list(backend.autoscaling_groups.values()), self._members(backend)
        for name in set(members) - {group.name for group in groups}:
            self._end(backend, members[name])
        for group in groups:
            found = members.get(group.name, [])
            there = [one for one in found if one.id not in self._leaving]
            if len(there) < len(found):
                self._end(backend, [one for one in found if one.id in self._leaving])
            group.instance_states = [InstanceState(one, autoscaling_group=group) for one in there]
            wanted = group.desired_capacity or 0
            if len(there) > wanted:
                self._end(backend, there[: len(there) - wanted])
            for _ in range(wanted - len(there)):
                self._launch(backend, group)

    def _members(self, backend: AutoScalingBackend) -> dict[str, list[Instance]]:
        found: dict[str, list[Instance]] = {}
        for instance in backend.ec2_backend.all_instances():
            named = [tag["value"] for tag in instance.get_tags() if tag["key"] == ASG_NAME_TAG]
            if named and instance.state in LIVING:
                found.setdefault(named[0], []).append(instance)
        return found

    def _end(self, backend: AutoScalingBackend, surplus: list[Instance]) -> None:
        self._client("ec2", backend.region_name).terminate_instances(InstanceIds=[one.id for one in surplus])

    def _launch(self, backend: AutoScalingBackend, group: FakeAutoScalingGroup) -> None:
        """Each type in each subnet, until one gives a machine."""
        client = self._client("ec2", backend.region_name)
        for wanted in requests(backend, group):
            try:
                made = client.run_instances(MinCount=1, MaxCount=1, **wanted)["Instances"][0]["InstanceId"]
            except ClientError as refusal:
                self.refused[group.name] = str(refusal)
                if refusal.response.get("Error", {}).get("Code") not in ELSEWHERE:
                    return
            else:
                backend.ec2_backend.create_tags([made], {ASG_NAME_TAG: group.name})
                return

    def _scheduled(self, original: Any, backend: AutoScalingBackend, **asked: Any) -> Any:
        action = original(backend, **asked)
        if action.recurrence:
            self._plan(backend, action)
        return action

    def _plan(self, backend: AutoScalingBackend, action: Any) -> None:
        moment = next_after(action.recurrence, action.time_zone or "UTC", self._clock.now())
        if moment:
            self._clock.at(moment, lambda: self._due(backend, action))

    def _due(self, backend: AutoScalingBackend, action: Any) -> None:
        """Unless it was deleted or put anew meanwhile."""
        if backend.scheduled_actions.get(action.scheduled_action_name) is not action:
            return
        if group := backend.autoscaling_groups.get(action.auto_scaling_group_name):
            act(group, action)
        self._plan(backend, action)


def within_bounds(original: Any, group: FakeAutoScalingGroup, **asked: Any) -> None:
    """Where other bounds come without a size, it follows them at once; moto compares with the machines it has seen.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
    """
    least, most = (getattr(group, name) if asked[name] is None else asked[name] for name in ("min_size", "max_size"))
    wanted = asked["desired_capacity"]
    if wanted is not None and not least <= wanted <= most:
        raise ValidationError(
            f"Desired capacity:{wanted} must be between the specified min size:{least} and max size:{most}"
        )
    original(group, **asked)
    group.desired_capacity = min(max(group.desired_capacity or 0, least), most)


def act(group: FakeAutoScalingGroup, action: Any) -> None:
    """What the action names is set; a capacity beyond the group's bounds is refused, as on AWS."""
    least = group.min_size if action.min_size is None else action.min_size
    most = group.max_size if action.max_size is None else action.max_size
    wanted = group.desired_capacity if action.desired_capacity is None else action.desired_capacity
    if (least or 0) <= (wanted or 0) <= (most or 0):
        group.min_size, group.max_size, group.desired_capacity = least, most, wanted


def requests(backend: AutoScalingBackend, group: FakeAutoScalingGroup) -> Iterator[dict[str, Any]]:
    """What to ask RunInstances for, one after another."""
    template = group.ec2_launch_template
    if template is None:
        return
    policy = group.mixed_instances_policy or {}
    kinds = [one.get("InstanceType") for one in policy.get("LaunchTemplate", {}).get("Overrides", [])] or [None]
    share = policy.get("InstancesDistribution", {}).get("OnDemandPercentageAboveBaseCapacity", 100)
    version = str(group.launch_template_version)
    cards = template.get_version(version).data.get("NetworkInterfaces", [])
    for kind, subnet in product(kinds, (group.vpc_zone_identifier or "").split(",")):
        yield {
            "LaunchTemplate": {"LaunchTemplateId": template.id, "Version": version},
            **({"InstanceType": kind} if kind else {}),
            **({"InstanceMarketOptions": {"MarketType": "spot"}} if policy and int(share) == 0 else {}),
            **placed(cards, subnet),
            "TagSpecifications": [{"ResourceType": "instance", "Tags": passed_on(group)}],
        }


def placed(cards: list[dict[str, Any]], subnet: str) -> dict[str, Any]:
    """A group's subnet goes to the first card; beside cards RunInstances takes no subnet of its own."""
    if not subnet:
        return {}
    return {"NetworkInterfaces": [cards[0] | {"SubnetId": subnet}, *cards[1:]]} if cards else {"SubnetId": subnet}


def passed_on(group: FakeAutoScalingGroup) -> list[dict[str, str]]:
    on = [tag for tag in group.tags if str(tag["PropagateAtLaunch"]).lower() == "true"]
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in on]
