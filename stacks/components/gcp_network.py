"""A private network on Google Cloud: one subnet that reaches Google's APIs, no address for anybody.

A new network lets nothing in: what is let in stands here.
"""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_gcp as gcp

CIDR = "10.78.0.0/16"
PROXY = "35.235.240.0/20"
"""Where Google's ssh proxy comes from: https://cloud.google.com/iap/docs/using-tcp-forwarding#create-firewall-rule"""


Settled = Callable[[str, pulumi.Resource], dict[str, Any]]
"""What is more to say of the resource of that kind: a name that does not change, and its options."""


def unsettled(_: str, parent: pulumi.Resource) -> dict[str, Any]:
    return {"opts": pulumi.ResourceOptions(parent=parent)}


class PrivateNetwork(pulumi.ComponentResource):
    """`network` and `subnet` are the links that machines need. Names are Pulumi's, unless they are `settled`."""

    def __init__(
        self, name: str, *, region: str, cidr: str = CIDR, settled: Settled | None = None, opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("accelctl:gcp:PrivateNetwork", name, None, opts)
        self._settled = settled or unsettled
        network = gcp.compute.Network(name, auto_create_subnetworks=False, **self._settled("network", self))
        subnet = gcp.compute.Subnetwork(
            name, network=network.self_link, region=region, ip_cidr_range=cidr, private_ip_google_access=True,
            **self._settled("subnetwork", self),
        )  # fmt: skip
        self._let_in(name, "ssh", network, PROXY, "through Google's proxy alone", protocol="tcp", ports=["22"])
        self._let_in(name, "inside", network, cidr, "machines among each other", protocol="all")
        self.network, self.subnet = network.self_link, subnet.self_link
        self.register_outputs({"network": self.network, "subnet": self.subnet})

    def _let_in(self, name: str, rule: str, network: gcp.compute.Network, source: str, why: str, **what: Any) -> None:
        gcp.compute.Firewall(
            f"{name}-{rule}", network=network.self_link, direction="INGRESS", source_ranges=[source],
            description=f"accelctl: {why}", allows=[gcp.compute.FirewallAllowArgs(**what)],
            **self._settled(f"firewall rule {rule}", self),
        )  # fmt: skip
