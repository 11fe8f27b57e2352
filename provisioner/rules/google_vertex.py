"""Facts of Vertex AI's machines: endpoints, persistent pools, Colab's notebooks. Shapes: the pulumi-gcp package, 10."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from provisioner.rules.aws import Inputs, at
from provisioner.rules.facts import UNKNOWN, Capacity, Facts
from provisioner.rules.google import costly, ours, protected, stays
from provisioner.rules.pools import number, rows_of, together

SERVES = "Vertex keeps one replica at least; take a cheaper type, or deploy it for as long as it is asked"
LONGEST_RUN = timedelta(days=1)
"""Of a notebook's execution, where it says nothing."""


def carried(spec: Any) -> Any:
    """The type of a machine's specification, where it has accelerators."""
    count = at(spec, "acceleratorCount", default=1)
    cards = [{"count": count}] if at(spec, "acceleratorType") is not None else []
    return UNKNOWN if spec is UNKNOWN else costly(at(spec, "machineType"), {"guestAccelerators": cards})


def seconds(text: Any) -> Any:
    """Of 3600s; None for what is none, or is 0."""
    if text is UNKNOWN:
        return UNKNOWN
    digits = str(text).removesuffix("s")
    return timedelta(seconds=int(digits)) if digits.isdecimal() and int(digits) else None


def serving(subject: str, inputs: Inputs, block: Any) -> Facts:
    """Machines that wait for requests, as a block of dedicated resources has them; its largest number is its least."""
    least = number(at(block, "minReplicaCount", default=1))
    spot = at(block, "spot")
    return Facts(
        subject=subject, cloud="gcp", instance_types=carried(at(block, "machineSpec", default={})), group=True,
        least=least, most=number(at(block, "maxReplicaCount", default=least)), takes_labels=False, otherwise=SERVES,
        capacity=UNKNOWN if spot is UNKNOWN else Capacity.SPOT if spot is True else Capacity.ON_DEMAND,
        leaves_behind=stays(inputs, "its machines"), protected=protected(inputs),
    )  # fmt: skip


def dedicated(subject: str, inputs: Inputs) -> Facts:
    """Of a pool of replicas, or of an index; what Vertex sizes by itself names no machine."""
    return serving(subject, inputs, at(inputs, "dedicatedResources", default={}))


def garden(subject: str, inputs: Inputs) -> Facts:
    """An endpoint with a model of the Model Garden, which chooses the machine where none is said."""
    block = at(inputs, "deployConfig", "dedicatedResources")
    if block is not None:
        return serving(subject, inputs, block)
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN, from_template=True, group=True, least=1, most=UNKNOWN,
        takes_labels=False, leaves_behind=stays(inputs, "its machines"), protected=protected(inputs),
    )  # fmt: skip


def persistent(subject: str, inputs: Inputs) -> Facts:
    """Pools that are there for the next training, whether there is one or not."""
    pools = rows_of(at(inputs, "resourcePools")) or [{}]
    return together([training_pool(subject, inputs, one) for one in pools], ours(at(inputs, "labels", default={})))


def training_pool(subject: str, inputs: Inputs, pool: Any) -> Facts:
    scaling = at(pool, "autoscalingSpec")
    least = at(pool, "replicaCount", default=1) if scaling is None else at(scaling, "minReplicaCount", default=1)
    most = least if scaling is None else at(scaling, "maxReplicaCount", default=UNKNOWN)
    return Facts(
        subject=subject, cloud="gcp", instance_types=carried(at(pool, "machineSpec", default={})), group=True,
        least=number(least), most=number(most), leaves_behind=stays(inputs, "its machines"),
        protected=protected(inputs), otherwise="train in a custom job, whose machines go with it",
    )  # fmt: skip


def runtime(subject: str, inputs: Inputs) -> Facts:
    """Colab's template: a person's machine stays until it was idle for as long as the template says."""
    idle = seconds(at(inputs, "idleShutdownConfig", "idleTimeout"))
    return Facts(
        subject=subject, cloud="gcp", instance_types=carried(at(inputs, "machineSpec", default={})), group=True,
        least=1, most=1, blueprint=True, scheduled=UNKNOWN if idle is UNKNOWN else idle is not None,
        labels=ours(at(inputs, "labels", default={})), otherwise="set idle_shutdown_config.idle_timeout",
    )  # fmt: skip


def execution(subject: str, inputs: Inputs) -> Facts:
    """A notebook that runs once; its machine goes with it."""
    block = at(inputs, "customEnvironmentSpec")
    lasts = seconds(at(inputs, "executionTimeout"))
    return Facts(
        subject=subject, cloud="gcp", from_template=block is None, takes_labels=False,
        instance_types=UNKNOWN if block is None else carried(at(block, "machineSpec", default={})),
        lasts=lasts or LONGEST_RUN,
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "gcp:vertex/aiDeploymentResourcePool:AiDeploymentResourcePool": dedicated,
    "gcp:vertex/aiIndexEndpointDeployedIndex:AiIndexEndpointDeployedIndex": dedicated,
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment": garden,
    "gcp:vertex/aiPersistentResource:AiPersistentResource": persistent,
    "gcp:colab/runtimeTemplate:RuntimeTemplate": runtime,
    "gcp:colab/notebookExecution:NotebookExecution": execution,
}
"""By the type's token."""
