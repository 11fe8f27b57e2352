"""TPU VMs: the right runtime for the type, spot by default, private, with an end that Cloud Scheduler keeps."""

from datetime import timedelta
from typing import Any

import pulumi
import pulumi_gcp as gcp

from provisioner.catalog import labels
from provisioner.catalog.tpus import TpuFamily, families
from stacks.components.gcp_end import SCOPE, End
from stacks.components.gcp_names import PROJECT, account_id
from stacks.components.gcp_network import PrivateNetwork
from stacks.settings import LABELS, Key, configured, lasting, marks, one_of, whole

LONGEST = timedelta(days=14)
SCHEDULING = {"spot": {"spot": True}, "reserved": {"reserved": True}, "on-demand": {}}


def keys_for(family: TpuFamily, usual: str) -> tuple[Key, ...]:
    zones = one_of(*family.zones)
    return (
        PROJECT,
        Key(name="acceleratorType", parse=one_of(*family.types), default=usual, help="type and size of a slice"),
        Key(name="nodes", parse=whole(1, 16), default="1", help="slices"),
        Key(name="capacity", parse=one_of(*SCHEDULING), default="spot", help="how they are bought"),
        Key(name="zone", parse=zones, default=family.zones[0], help="a zone that has the type"),
        Key(name="endAfter", parse=lasting(LONGEST), default="8h", help="when they end, counted from launch"),
        *LABELS,
    )


class TpuMachines(pulumi.ComponentResource):
    """The slices of one stack. `export` gives the stack's outputs."""

    def __init__(self, name: str, family: TpuFamily, config: dict[str, Any]) -> None:
        super().__init__("accelctl:gcp:TpuMachines", name, None, None)
        self._name, self._family, self._config = name, family, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._marks = marks(config, caller)
        self._region, self._project = config["zone"].rsplit("-", 1)[0], project()
        self._network = PrivateNetwork(name, region=self._region, opts=self._mine)
        self._machine = gcp.serviceaccount.Account(
            f"{name}-machine", account_id=account_id(pulumi.get_stack(), f"{name}-machine"),
            display_name="accelctl: nothing is granted", opts=self._mine,
        )  # fmt: skip
        self.end = End(name, after=config["endAfter"], project=self._project, opts=self._mine)
        self.nodes = [self._node(number) for number in range(config["nodes"])]
        self.register_outputs({})

    def _labels(self, at: str) -> dict[str, str]:
        return labels.for_google(self._marks | {labels.EXPIRES_AT: at})

    def _node(self, number: int) -> gcp.tpu.V2Vm:
        """Its name is fixed, so that its end is there first. Its address is Google's inner one."""
        name, scheduling = f"{self._name}-{number}", SCHEDULING[self._config["capacity"]]
        called = account_id(pulumi.get_stack(), str(number))
        ending = self.end.of(
            f"projects/{self._project}/locations/{self._config['zone']}/nodes/{called}", name, region=self._region
        )
        one_of_its_name = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        return gcp.tpu.V2Vm(
            name, name=called, accelerator_type=self._config["acceleratorType"],
            runtime_version=self._family.runtime, zone=self._config["zone"], labels=self.end.at.apply(self._labels),
            scheduling_config=gcp.tpu.V2VmSchedulingConfigArgs(**scheduling) if scheduling else None,
            network_config=gcp.tpu.V2VmNetworkConfigArgs(
                network=self._network.network, subnetwork=self._network.subnet, enable_external_ips=False
            ),
            service_account=gcp.tpu.V2VmServiceAccountArgs(email=self._machine.email, scopes=[SCOPE]),
            shielded_instance_config=gcp.tpu.V2VmShieldedInstanceConfigArgs(enable_secure_boot=True),
            opts=pulumi.ResourceOptions.merge(one_of_its_name, ending),
        )  # fmt: skip

    def export(self) -> None:
        """What a person uses."""
        price = self._family.price(self._config["acceleratorType"], self._config["zone"])
        zone, names = self._config["zone"], [node.name for node in self.nodes]
        pulumi.export("nodes", names)
        pulumi.export("connect", pulumi.Output.all(*names).apply(lambda found: [
            f"gcloud compute tpus tpu-vm ssh {name} --zone {zone} --tunnel-through-iap" for name in found
        ]))  # fmt: skip
        pulumi.export("ends_at", self.end.at)
        pulumi.export("on_demand_usd_per_hour", f"{price * self._config['nodes']}" if price else "unknown")


def caller() -> str:
    """The local part of the caller's address; a token that does not tell it leaves the owner unassigned."""
    return (gcp.organizations.get_client_open_id_user_info().email or "unassigned").split("@")[0]


def project() -> str:
    """Raises RunError where none is configured."""
    found = configured(PROJECT.name) or gcp.config.project
    if not found:
        raise pulumi.RunError("gcp:project is not set.\nhint: pulumi config set gcp:project ID")
    return found


def program(name: str, usual: str) -> None:
    """The whole program of one family."""
    from stacks.settings import read

    family = families()[name]
    TpuMachines(name, family, read(keys_for(family, usual))).export()
