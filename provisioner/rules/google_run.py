"""Facts of Cloud Run with GPUs, paid for as long as their instances stand. Shapes: the pulumi-gcp package, 10."""

from collections.abc import Callable
from typing import Any

from provisioner.rules.aws import Inputs, at, equal
from provisioner.rules.facts import UNKNOWN, Facts
from provisioner.rules.google import ours
from provisioner.rules.pools import number

OTHERWISE = "set its least number of instances to 0"
KNATIVE = "autoscaling.knative.dev"
"""Where the first version of the API has its numbers, as annotations."""


def serving(subject: str, card: Any, least: Any, most: Any, labels: Any) -> Facts:
    """Without a GPU an instance is small."""
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN if card is UNKNOWN else (card,) if card else (),
        group=True, unit="instance", least=least, most=most, labels=ours(labels), otherwise=OTHERWISE,
    )  # fmt: skip


def largest(*numbers: Any) -> Any:
    return UNKNOWN if UNKNOWN in numbers else max(numbers)


def service(subject: str, inputs: Inputs) -> Facts:
    """It keeps a fixed number by hand, or the larger of its own least and its revision's."""
    told, revision = at(inputs, "scaling", default={}), at(inputs, "template", default={})
    scaling = at(revision, "scaling", default={})
    by_hand = equal(at(told, "scalingMode", default="AUTOMATIC"), "MANUAL")
    fixed = number(at(told, "manualInstanceCount", default=1))
    least = largest(*(number(at(one, "minInstanceCount", default=0)) for one in (told, scaling)))
    return serving(
        subject, at(revision, "nodeSelector", "accelerator"),
        UNKNOWN if by_hand is UNKNOWN else fixed if by_hand else least,
        fixed if by_hand is True else at(scaling, "maxInstanceCount", default=UNKNOWN),
        at(inputs, "labels", default={}),
    )  # fmt: skip


def worker_pool(subject: str, inputs: Inputs) -> Facts:
    """It has as many as it is told; nothing calls it, so nothing brings it down."""
    told = at(inputs, "scaling", default={})
    fixed = number(at(told, "manualInstanceCount", default=at(told, "minInstanceCount", default=1)))
    return serving(
        subject, at(inputs, "template", "nodeSelector", "accelerator"), fixed,
        at(told, "maxInstanceCount", default=fixed), at(inputs, "labels", default={}),
    )  # fmt: skip


def older_service(subject: str, inputs: Inputs) -> Facts:
    """Of the first version of the API."""
    told, notes = at(inputs, "template", default={}), ("metadata", "annotations")
    limits = [at(one, *notes, f"{KNATIVE}/minScale", default=0) for one in (told, inputs)]
    return serving(
        subject, at(told, "spec", "nodeSelector", "run.googleapis.com/accelerator"), largest(*map(number, limits)),
        number(at(told, *notes, f"{KNATIVE}/maxScale", default=UNKNOWN)), at(inputs, "metadata", "labels", default={}),
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "gcp:cloudrunv2/service:Service": service,
    "gcp:cloudrunv2/workerPool:WorkerPool": worker_pool,
    "gcp:cloudrun/service:Service": older_service,
}
"""By the type's token."""
