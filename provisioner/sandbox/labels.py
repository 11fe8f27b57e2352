"""Labels: the cloud forgets those of a machine that has ended, the sandbox's own books do not."""

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, EC2_RESOURCE_TO_PREFIX


def taggable(kind: str, prefix: str) -> None:
    """CreateTags and DeleteTags take ids of a kind that moto lacks."""
    EC2_RESOURCE_TO_PREFIX[kind], EC2_PREFIX_TO_RESOURCE[prefix] = prefix, kind


def tags_of(region: str, identity: str) -> dict[str, str]:
    """Where CreateTags changes them too."""
    return ec2_backends[DEFAULT_ACCOUNT_ID][region].tags[identity]


def drop_tags(region: str, identity: str) -> None:
    """Of what is gone."""
    ec2_backends[DEFAULT_ACCOUNT_ID][region].tags.pop(identity, None)


def labels_of(instance: Instance) -> dict[str, str]:
    """Those that it had, of one whose tags the cloud has forgotten."""
    kept: dict[str, str] | None = getattr(instance, "sandbox_labels", None)
    return kept if kept is not None else {tag["key"]: tag["value"] for tag in instance.get_tags()}


def forget_tags(instance: Instance) -> None:
    """What is listed by tag does not show it any more; the ledger's lines keep their labels."""
    instance.sandbox_labels = labels_of(instance)
    instance.ec2_backend.tags.pop(instance.id, None)
