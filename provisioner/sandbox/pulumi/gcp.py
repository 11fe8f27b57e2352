"""python -m provisioner.sandbox.pulumi.gcp: the executable behind pulumi-resource-gcp."""

import os
from typing import Any

import requests

from provisioner.sandbox.pulumi import google_iam, google_network, google_scheduler, google_storage, tpu
from provisioner.sandbox.pulumi.google_service import Service
from provisioner.sandbox.pulumi.kinds import Clients, Inputs, Kind
from provisioner.sandbox.pulumi.provider import Provider
from provisioner.sandbox.pulumi.serve import serve

DEVELOPER = "developer@accelctl-sandbox"
VERSIONS = {
    "tpu": "v2",
    "compute": "v1",
    "iam": "v1",
    "cloudresourcemanager": "v1",
    "cloudscheduler": "v1",
    "storage": "v1",
}

KINDS: dict[str, Kind] = {
    token: kind
    for module in (tpu, google_network, google_iam, google_scheduler, google_storage)
    for token, kind in module.KINDS.items()
}


def connect(service: str, config: Inputs) -> Any:
    """A client where gcloud's endpoint override leads, for the configured project."""
    place = os.environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}"]
    project = config.get("project") or os.environ["GOOGLE_PROJECT"]
    return Service(requests.Session(), f"{place}{VERSIONS[service]}", project, config)


def caller(clients: Clients, _: Inputs) -> Inputs:
    """The developer, as Google's token would tell."""
    return {"id": DEVELOPER, "email": DEVELOPER}


FUNCTIONS = {
    "gcp:organizations/getClientOpenIdUserInfo:getClientOpenIdUserInfo": caller,
    **google_network.FUNCTIONS, **google_iam.FUNCTIONS, **google_storage.FUNCTIONS,
}  # fmt: skip

if __name__ == "__main__":
    serve(Provider("gcp", KINDS, FUNCTIONS, connect))
