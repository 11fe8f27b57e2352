"""The labels of machines: the cloud forgets those of one that has ended, the sandbox's own books do not."""

from moto.ec2.models.instances import Instance


def labels_of(instance: Instance) -> dict[str, str]:
    """Those that it had, of one whose tags the cloud has forgotten."""
    kept: dict[str, str] | None = getattr(instance, "sandbox_labels", None)
    return kept if kept is not None else {tag["key"]: tag["value"] for tag in instance.get_tags()}


def forget_tags(instance: Instance) -> None:
    """What is listed by tag does not show it any more; the ledger's lines keep their labels."""
    instance.sandbox_labels = labels_of(instance)
    instance.ec2_backend.tags.pop(instance.id, None)
