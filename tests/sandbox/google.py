"""Google's own client on the sandbox."""

import os
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import tpu_v2

from provisioner.sandbox.client import PROJECT


def client() -> Any:
    """Over REST: what the sandbox speaks. The client cannot be given a path, so its host is bent to one."""
    place = os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU"]
    transport = tpu_v2.TpuClient.get_transport_class("rest")
    return tpu_v2.TpuClient(
        transport=transport(
            host=place.removeprefix("http://").rstrip("/"), url_scheme="http", credentials=AnonymousCredentials()
        )
    )


def nodes(zone: str = "-") -> list[tpu_v2.Node]:
    return list(client().list_nodes(parent=f"projects/{PROJECT}/locations/{zone}"))
