"""A private network on Google Cloud: one subnet that reaches Google's APIs, no address for anybody.

A new network lets nothing in: what is let in stands here.
"""

from typing import Any

import pulumi
import pulumi_gcp as gcp

CIDR = "10.78.0.0/16"
PROXY = "35.235.240.0/20"
"""Where Google's ssh proxy comes from: https://cloud.google.com/iap/docs/using-tcp-forwarding#create-firewall-rule"""


class PrivateNetwork(pulumi.ComponentResource):
    """`network` and `subnet` are the links that machines need."""

    def __init__(self, name: str, *, region: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("accelctl:gcp:PrivateNetwork", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        network = gcp.compute.Network(name, auto_create_subnetworks=False, opts=mine)
        subnet = gcp.compute.Subnetwork(
            name, network=network.self_link, region=region, ip_cidr_range=CIDR, private_ip_google_access=True, opts=mine
        )
        self._let_in(f"{name}-ssh", network, PROXY, "through Google's proxy alone", protocol="tcp", ports=["22"])
        self._let_in(f"{name}-inside", network, CIDR, "machines among each other", protocol="all")
        self.network, self.subnet = network.self_link, subnet.self_link
        self.register_outputs({"network": self.network, "subnet": self.subnet})

    def _let_in(self, name: str, network: gcp.compute.Network, source: str, why: str, **what: Any) -> None:
        gcp.compute.Firewall(
            name, network=network.self_link, direction="INGRESS", source_ranges=[source],
            description=f"accelctl: {why}", allows=[gcp.compute.FirewallAllowArgs(**what)],
            opts=pulumi.ResourceOptions(parent=self),
        )  # fmt: skip
