"""Labels: the cloud forgets those of a machine that has ended, the sandbox's own books do not."""

import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, EC2_RESOURCE_TO_PREFIX


@dataclass
class Tagged:
    """What moto lacks and our own books keep, labelled where moto keeps labels: CreateTags and DeleteTags reach it."""

    KIND: ClassVar[str]
    PREFIX: ClassVar[str]

    region: str
    id: str = field(init=False)

    def __init_subclass__(cls) -> None:
        EC2_RESOURCE_TO_PREFIX[cls.KIND], EC2_PREFIX_TO_RESOURCE[cls.PREFIX] = cls.PREFIX, cls.KIND

    def __post_init__(self) -> None:
        self.id = f"{self.PREFIX}-0{secrets.token_hex(8)}"

    @property
    def backend(self) -> Any:
        return ec2_backends[DEFAULT_ACCOUNT_ID][self.region]

    @property
    def labels(self) -> dict[str, str]:
        """As CreateTags left them, where a policy's condition finds them too."""
        return self.backend.tags[self.id]

    def forget_labels(self) -> None:
        """It is gone."""
        self.backend.tags.pop(self.id, None)


def labels_of(instance: Instance) -> dict[str, str]:
    """Those that it had, of one whose tags the cloud has forgotten."""
    kept: dict[str, str] | None = getattr(instance, "sandbox_labels", None)
    return kept if kept is not None else {tag["key"]: tag["value"] for tag in instance.get_tags()}


def forget_tags(instance: Instance) -> None:
    """What is listed by tag does not show it any more; the ledger's lines keep their labels."""
    instance.sandbox_labels = labels_of(instance)
    instance.ec2_backend.tags.pop(instance.id, None)
