"""Azure's own client on the sandbox."""

import os
import time
from typing import Any, cast

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.compute import ComputeManagementClient

from provisioner.sandbox.client import SUBSCRIPTION


class Anybody:
    """A credential that any will do for."""

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        return AccessToken("sandbox", int(time.time()) + 3600)


def compute() -> Any:
    plain: Any = cast(Any, SansIOHTTPPolicy)()  # Azure's own would not send a token over http
    return ComputeManagementClient(
        Anybody(), SUBSCRIPTION, base_url=os.environ["ARM_ENDPOINT"], authentication_policy=plain, polling_interval=0
    )


def machines() -> list[Any]:
    return list(compute().virtual_machines.list_all())


def power(machine: Any) -> str:
    """running, deallocated, …"""
    group = machine.id.split("/")[4]
    view = compute().virtual_machines.instance_view(group, machine.name)
    return view.statuses[-1].code.partition("/")[2]
