"""Facts of AWS services that rent machines in their own name. Shapes: the pulumi-aws package, version 7."""

from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at, equal, facts, kept, listed
from provisioner.rules.facts import UNKNOWN, Capacity, Facts

VARIANTS = ("production", "shadowProduction")
OTHERWISE = "nothing of SageMaker's ends it; take a cheaper type, or train in a job, which has a longest run"


def node_group(subject: str, inputs: Inputs) -> Facts:
    """Without types it takes its template's; without a template EKS takes a small one."""
    kinds, market = listed(at(inputs, "instanceTypes")), at(inputs, "capacityType", default="ON_DEMAND")
    from_template = kinds == [] and at(inputs, "launchTemplate") is not None
    spot = {"SPOT": Capacity.SPOT, "CAPACITY_BLOCK": Capacity.CAPACITY_BLOCK}
    capacity: Any = UNKNOWN if market is UNKNOWN else spot.get(market, Capacity.ON_DEMAND)
    sizes = at(inputs, "scalingConfig", default={})
    return facts(
        subject, UNKNOWN if from_template else kinds, from_template=from_template, capacity=capacity, group=True,
        labels=at(inputs, "tags", default={}),
        least=kept(at(sizes, "minSize", default=0), at(sizes, "desiredSize"), capacity),
        most=at(inputs, "scalingConfig", "maxSize"),
    )  # fmt: skip


def of_ec2(kind: Any) -> Any:
    """SageMaker's types are EC2's behind `ml.`."""
    return kind if kind is UNKNOWN else str(kind).removeprefix("ml.")


def notebook(subject: str, inputs: Inputs) -> Facts:
    """Its volumes are encrypted."""
    kind, tags = at(inputs, "instanceType"), at(inputs, "tags", default={})
    public = at(inputs, "directInternetAccess", default="Enabled")
    return facts(
        subject,
        (of_ec2(kind),),
        labels=tags,
        otherwise=OTHERWISE,
        public_address=equal(public, "Enabled"),
    )


def endpoint(subject: str, inputs: Inputs) -> Facts:
    """An endpoint runs its least number of machines for ever, those that only see copies of the traffic as well."""
    rows, tags = [listed(at(inputs, f"{kind}Variants")) for kind in VARIANTS], at(inputs, "tags", default={})
    kinds: Any = UNKNOWN if UNKNOWN in rows else [
        of_ec2(at(one, "instanceType", default="")) for variants in rows for one in variants
    ]  # fmt: skip
    return facts(subject, kinds, group=True, least=1, labels=tags, otherwise="delete it when nobody asks, or take less")


def app(subject: str, inputs: Inputs) -> Facts:
    """A Studio app runs until somebody deletes it; `system` is SageMaker's own machine."""
    kind, tags = at(inputs, "resourceSpec", "instanceType", default="system"), at(inputs, "tags", default={})
    return facts(subject, () if kind == "system" else (of_ec2(kind),), labels=tags, otherwise=OTHERWISE)


def compute_environment(subject: str, inputs: Inputs) -> Facts:
    """Batch: a family such as `p5` has no price, so it counts as expensive; Fargate has no machine."""
    kinds, market = listed(at(inputs, "computeResources", "instanceTypes")), at(inputs, "computeResources", "type")
    return facts(
        subject, kinds, group=True, least=at(inputs, "computeResources", "minVcpus", default=0),
        unit="vCPU",
        capacity=UNKNOWN if market is UNKNOWN else Capacity.SPOT if market == "SPOT" else Capacity.ON_DEMAND,
        labels=at(inputs, "tags", default={}),
    )  # fmt: skip


def build_fleet(subject: str, inputs: Inputs) -> Facts:
    """CodeBuild keeps its base capacity for ever."""
    kind = at(inputs, "computeConfiguration", "instanceType")
    least = at(inputs, "baseCapacity", default=1)
    return facts(subject, (kind,), group=True, least=least, labels=at(inputs, "tags", default={}))


def emr_cluster(subject: str, inputs: Inputs) -> Facts:
    """It stays until its steps are over, if it is told to, or until it was idle long enough."""
    kinds: Any = [at(inputs, group, "instanceType") for group in ("masterInstanceGroup", "coreInstanceGroup")]
    rows = [listed(at(inputs, fleet, "instanceTypeConfigs")) for fleet in ("masterInstanceFleet", "coreInstanceFleet")]
    kinds += [at(one, "instanceType") for row in rows for one in ([UNKNOWN] if row is UNKNOWN else row)]
    stays = at(inputs, "keepJobFlowAliveWhenNoSteps", default=True)
    idles = at(inputs, "autoTerminationPolicy", "idleTimeout")
    return facts(
        subject, kinds, group=True, least=1, labels=at(inputs, "tags", default={}),
        otherwise="let it go when its steps are over, or by an auto_termination_policy",
        scheduled=UNKNOWN if UNKNOWN in (stays, idles) else not stays or idles is not None,
    )  # fmt: skip


def emr_group(subject: str, inputs: Inputs) -> Facts:
    """It goes when its cluster does, which is another resource's to say."""
    kind, count = at(inputs, "instanceType"), at(inputs, "instanceCount", default=1)
    return facts(
        subject, (kind,), group=True, least=count, most=count, takes_labels=False,
        capacity=Capacity.ON_DEMAND if at(inputs, "bidPrice") is None else Capacity.SPOT, scheduled=UNKNOWN,
    )  # fmt: skip


def space(subject: str, inputs: Inputs) -> Facts:
    """What its apps run on unless they say otherwise; they stay until they were idle long enough."""
    held: Any = at(inputs, "spaceSettings", default={})
    apps = [at(held, f"{name}AppSettings") for name in ("codeEditor", "jupyterLab", "jupyterServer", "kernelGateway")]
    found = [at(one, "defaultResourceSpec", "instanceType") for one in apps if one is not None]
    kinds = [of_ec2(one) for one in found if one not in (None, "system")]
    idles = [at(one, "appLifecycleManagement", "idleSettings", "idleTimeoutInMinutes") for one in apps if one]
    return facts(
        subject, kinds, group=True, least=1, most=1, otherwise="set the idle timeout of its apps",
        scheduled=UNKNOWN if UNKNOWN in idles else bool(idles) and None not in idles,
        labels=at(inputs, "tags", default={}),
    )  # fmt: skip


def host(subject: str, inputs: Inputs) -> Facts:
    """Paid for until it is released, empty or not; no price of a machine is its price."""
    kind = at(inputs, "instanceType", default=at(inputs, "instanceFamily"))
    return Facts(
        subject=subject, cloud="aws", instance_types=UNKNOWN if kind is UNKNOWN else (kind,) if kind else (),
        labels=at(inputs, "tags", default={}), otherwise="use machines of default tenancy: nothing releases a host",
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "aws:eks/nodeGroup:NodeGroup": node_group,
    "aws:sagemaker/notebookInstance:NotebookInstance": notebook,
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": endpoint,
    "aws:sagemaker/app:App": app,
    "aws:batch/computeEnvironment:ComputeEnvironment": compute_environment,
    "aws:codebuild/fleet:Fleet": build_fleet,
    "aws:emr/cluster:Cluster": emr_cluster,
    "aws:emr/instanceGroup:InstanceGroup": emr_group,
    "aws:sagemaker/space:Space": space,
    "aws:ec2/dedicatedHost:DedicatedHost": host,
}
"""By the type's token."""
