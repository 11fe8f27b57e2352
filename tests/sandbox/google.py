"""Google's own client on the sandbox."""

import os
from typing import Any

import requests
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


def call(service: str, method: str, name: str, body: Any = None, **query: str) -> tuple[int, dict[str, Any]]:
    """One request as it goes over the wire: the status, and the document."""
    place = os.environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}"]
    version = "v2" if service == "tpu" else "v1"
    answer = requests.request(method, f"{place}{version}/{name}", json=body, params=query, timeout=10)
    return answer.status_code, answer.json()
