"""What a rule adds instead of refusing, where a team asks for that (Pulumi's enforcement level `remediate`).

An end as a label is the midnight (UTC) after `default_end` from now: it stays as it is until the day after, when `up`
moves it on. Google's longest run is counted by Google, from the start.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from provisioner.catalog import labels
from provisioner.rules import azure_classic, azure_containers, azure_services
from provisioner.rules.configuration import Configuration
from provisioner.rules.facts import Facts
from provisioner.rules.ruleset import RULES, Outcome, judged, lacking, names_an_end

UNASSIGNED = "unassigned"
TAGGED = (
    "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/fleet:Fleet",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest", "aws:ec2/spotFleetRequest:SpotFleetRequest",
    "aws:ec2/capacityReservation:CapacityReservation", "aws:ec2/capacityBlockReservation:CapacityBlockReservation",
    "aws:eks/nodeGroup:NodeGroup", "aws:emr/cluster:Cluster", "aws:batch/computeEnvironment:ComputeEnvironment",
    "aws:codebuild/fleet:Fleet", "aws:sagemaker/app:App", "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
    "aws:sagemaker/notebookInstance:NotebookInstance",
    "azure-native:compute:VirtualMachine", "azure-native:compute:VirtualMachineScaleSet",
    "azure-native:containerservice:AgentPool",
    "aws:ec2/dedicatedHost:DedicatedHost", "aws:sagemaker/space:Space",
    *azure_services.READERS, *azure_classic.READERS, *azure_containers.READERS,
)  # fmt: skip
LABELLED = (
    "gcp:tpu/v2Vm:V2Vm", "gcp:compute/instance:Instance", "gcp:compute/instanceTemplate:InstanceTemplate",
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate", "gcp:workbench/instance:Instance",
    "gcp:vertex/aiPersistentResource:AiPersistentResource", "gcp:colab/runtimeTemplate:RuntimeTemplate",
    "gcp:cloudrunv2/service:Service", "gcp:cloudrunv2/workerPool:WorkerPool",
)  # fmt: skip
PLACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TAGGED, ("tags",)), **dict.fromkeys(LABELLED, ("labels",)),
    "gcp:container/nodePool:NodePool": ("nodeConfig", "resourceLabels"),
    "gcp:container/cluster:Cluster": ("resourceLabels",),
    "gcp:cloudrun/service:Service": ("metadata", "labels"),
}  # fmt: skip
"""Where a type has its labels, as a mapping."""
LONGEST_RUN = LABELLED[1:4]
"""Types that Google itself ends."""
ENDED_BY_LABEL = ("aws:ec2/instance:Instance",)
"""What the reaper ends by its labels. A template's label ends nothing: what is made from it has labels of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """An input to be set, at a path of names."""

    path: tuple[str, ...]
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One resource that a rule may mend. `caller` is who runs this; empty where that is not known."""

    token: str
    facts: Facts
    allowed: Configuration
    now: datetime
    caller: str = ""
    stack: str = ""
    """The Pulumi stack that owns it."""

    def broken(self, name: str) -> bool:
        """Whether a rule is surely broken, and nobody is let off."""
        rule = next(one for one in RULES if one.name == name)
        found = judged(rule, self.facts, self.allowed, self.now) if rule.judges(self.facts) else None
        return found is not None and found.outcome is Outcome.VIOLATION


def missing_labels(case: Case) -> Iterator[Addition]:
    """The caller owns it; team and cost center are `unassigned`, which production refuses."""
    if case.token not in PLACES or not case.broken("required-labels"):
        return
    defaults = {"owner": case.caller, "team": UNASSIGNED, "cost-center": UNASSIGNED}
    for name in lacking(case.facts, case.allowed):
        if defaults.get(name):
            yield from labelled(case.token, {f"accelctl:{name}": defaults[name]})


def default_end(case: Case) -> Iterator[Addition]:
    """For what would be on for ever, by the cloud's own means where it has some."""
    if not case.broken("accelerator-not-always-on") or case.facts.group:
        return
    if case.token in LONGEST_RUN:
        yield Addition(
            path=("scheduling", "maxRunDuration", "seconds"), value=int(case.allowed.default_end.total_seconds())
        )
        yield Addition(path=("scheduling", "instanceTerminationAction"), value="DELETE")
    elif case.token in ENDED_BY_LABEL:
        own, end = names_an_end(case.facts), midnight(case.now + case.allowed.default_end)
        yield from labelled(case.token, labels.ours(stack=case.stack) | ({} if own else {labels.EXPIRES_AT: end}))


def labelled(token: str, added: Mapping[str, str]) -> Iterator[Addition]:
    """As the type's cloud writes labels."""
    written = labels.for_google(added) if token.startswith("gcp:") else added
    yield from (Addition(path=(*PLACES[token], key), value=value) for key, value in written.items())


def midnight(moment: datetime) -> str:
    """The next one, RFC 3339 in UTC."""
    day = moment.astimezone(UTC).date() + timedelta(days=1)
    return f"{datetime.combine(day, time(), UTC):%Y-%m-%dT%H:%M:%SZ}"


REMEDIES: dict[str, Callable[[Case], Iterator[Addition]]] = {
    "required-labels": missing_labels, "end-within-limit": default_end,
}  # fmt: skip
"""By the rule that has one."""
