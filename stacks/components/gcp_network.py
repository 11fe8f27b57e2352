"""A private network on Google Cloud: one subnet that reaches Google's APIs, no address for anybody."""

import pulumi
import pulumi_gcp as gcp

CIDR = "10.78.0.0/16"


class PrivateNetwork(pulumi.ComponentResource):
    """`network` and `subnet` are the links that machines need."""

    def __init__(self, name: str, *, region: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("accelctl:gcp:PrivateNetwork", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        network = gcp.compute.Network(name, auto_create_subnetworks=False, opts=mine)
        subnet = gcp.compute.Subnetwork(
            name, network=network.self_link, region=region, ip_cidr_range=CIDR, private_ip_google_access=True, opts=mine
        )
        self.network, self.subnet = network.self_link, subnet.self_link
        self.register_outputs({"network": self.network, "subnet": self.subnet})
