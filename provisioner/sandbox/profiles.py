"""Instance profiles: moto fails where a role is taken out of a profile that does not hold it."""

from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend

from provisioner.sandbox.launches import wrap


def install() -> None:
    wrap(IAMBackend, "remove_role_from_instance_profile", remove_role)


def remove_role(original: Any, backend: IAMBackend, profile_name: str, role_name: str) -> None:
    """NoSuchEntity, as IAM says of whatever it does not find."""
    if backend.get_role(role_name) not in backend.get_instance_profile(profile_name).roles:
        raise NotFoundException(f"The role with name {role_name} is not in the instance profile {profile_name}.")
    original(backend, profile_name, role_name)
