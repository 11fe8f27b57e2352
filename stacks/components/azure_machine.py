"""Azure machines with accelerators: spot by default, private, deleted whole, shut down by Azure itself."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
from pulumi_azure_native import authorization, compute, devtestlab, managedidentity, network, resources

from provisioner.catalog import azure, labels
from stacks.components.in_time import in_time
from stacks.settings import KEPT_MOMENT, LABELS, Key, lasting, marks, one_of, whole

SIZES = (
    "Standard_ND96isr_H100_v5", "Standard_ND96asr_v4", "Standard_ND96amsr_A100_v4", "Standard_ND96isr_MI300X_v5",
    "Standard_NC24ads_A100_v4",
)  # fmt: skip
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=1)
"""A shutdown schedule is daily: a later end would come a day too soon."""
AHEAD = timedelta(minutes=45)
"""Azure passes over a shutdown that it is told of half an hour before or later, until the next day; a machine and its
network take some minutes. https://learn.microsoft.com/archive/blogs/jpvsblog/dtl-autoshutdown-time
"""
IMAGE = compute.ImageReferenceArgs(publisher="microsoft-dsvm", offer="ubuntu-hpc", sku="2204", version="latest")
CIDR = "10.79.0.0/16"
USER = "azureuser"
WARNING = "PT15M"
KEY_TYPES = ("ssh-ed25519", "ssh-rsa")
"""https://learn.microsoft.com/azure/virtual-machines/linux/mac-create-ssh-keys#supported-ssh-key-formats"""


def public_key(value: str) -> str:
    """One line of OpenSSH's: its type, and a body that begins with the type. Raises ValueError for anything else."""
    kind, _, rest = value.strip().partition(" ")
    try:
        body = base64.b64decode(rest.partition(" ")[0], validate=True)
    except ValueError:
        body = b""
    named = len(kind).to_bytes(4, "big") + kind.encode()
    if kind not in KEY_TYPES or "\n" in value.strip() or not body.startswith(named) or len(body) <= len(named) + 32:
        raise ValueError(f"it is a whole public key of type {' or '.join(KEY_TYPES)}")
    return value.strip()


KEYS = (
    Key(name="vmSize", parse=one_of(*SIZES), default=SIZES[0], help="machine size"),
    Key(name="machines", parse=whole(1, 16), default="1", help="how many"),
    Key(name="capacity", parse=one_of("spot", "on-demand"), default="spot", help="how they are bought"),
    Key(name="eviction", parse=one_of("Delete", "Deallocate"), default="Delete", help="what becomes of an evicted one"),
    Key(name="location", parse=one_of(*azure.regions()), default="eastus", help="region"),
    Key(
        name="endAfter",
        parse=lasting(LONGEST, SHORTEST),
        default="8h",
        help="when they are shut down, counted from launch",
    ),
    Key(name="sshKey", parse=public_key, default="", help="a public key, such as the content of ~/.ssh/id_ed25519.pub"),
    Key(name="diskGib", parse=whole(64, 4095), default="256", help="GiB of each machine's disk"),
    *LABELS,
)


class AzureMachines(pulumi.ComponentResource):
    """One resource group and what is in it. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:azure:AzureMachines", name, None, None)
        self._name, self._config = name, config
        self._mine = pulumi.ResourceOptions(parent=self)
        self._marks = marks(config, lambda: authorization.get_client_config().object_id or "unassigned")
        self.group = resources.ResourceGroup(name, location=config["location"], tags=self._marks, opts=self._mine)
        self._here: dict[str, Any] = {"resource_group_name": self.group.name, "location": config["location"]}
        self._subnet = self._network()
        self._minutes = int(config["endAfter"].total_seconds() // 60)
        self._identity = self._moment()
        self.at = self._identity.tags.apply(lambda tags: (tags or {})[labels.EXPIRES_AT])
        self._in_time = pulumi.ResourceHookBinding(before_create=[in_time(name, self.at, ahead=AHEAD)])
        self.machines = [self._machine(number) for number in range(config["machines"])]
        self.register_outputs({})

    def _network(self) -> pulumi.Output[str]:
        """One subnet, closed from outside: nothing in it has a public address."""
        closed = network.NetworkSecurityGroup(self._name, **self._here, tags=self._marks, opts=self._mine)
        net = network.VirtualNetwork(
            self._name, **self._here, address_space=network.AddressSpaceArgs(address_prefixes=[CIDR]),
            subnets=[network.SubnetArgs(
                name="machines", address_prefix=CIDR,
                network_security_group=network.NetworkSecurityGroupArgs(id=closed.id),
            )],
            tags=self._marks, opts=self._mine,
        )  # fmt: skip
        return pulumi.Output.concat(net.id, "/subnets/machines")

    def _moment(self) -> managedidentity.UserAssignedIdentity:
        """The machines' identity, to which nothing is granted; its tags keep the moment that was fixed with it."""
        moment = f"{datetime.now(UTC) + self._config['endAfter']:%Y-%m-%dT%H:%M:00Z}"
        return managedidentity.UserAssignedIdentity(
            f"{self._name}-{self._minutes}m", **self._here, tags=self._marks | {labels.EXPIRES_AT: moment},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[KEPT_MOMENT]),
        )  # fmt: skip

    def _machine(self, number: int) -> compute.VirtualMachine:
        name, spot = f"{self._name}-{number}", self._config["capacity"] == "spot"
        made = compute.VirtualMachine(
            name, **self._here, vm_name=f"{pulumi.get_stack()}-{number}",
            hardware_profile=compute.HardwareProfileArgs(vm_size=self._config["vmSize"]),
            priority="Spot" if spot else "Regular", eviction_policy=self._config["eviction"] if spot else None,
            billing_profile=compute.BillingProfileArgs(max_price=-1) if spot else None,
            identity=compute.VirtualMachineIdentityArgs(
                type=compute.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[self._identity.id]
            ),
            network_profile=self._card(name),
            os_profile=self._login(number), storage_profile=self._disk(),
            security_profile=compute.SecurityProfileArgs(encryption_at_host=True),
            scheduled_events_profile=compute.ScheduledEventsProfileArgs(
                terminate_notification_profile=compute.TerminateNotificationProfileArgs(
                    enable=True, not_before_timeout=WARNING
                )
            ),
            tags=self.at.apply(lambda at: self._marks | {labels.EXPIRES_AT: at}),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, hooks=self._in_time),
        )  # fmt: skip
        self._end(made, number)
        return made

    def _card(self, name: str) -> compute.NetworkProfileArgs:
        """Made with the machine and gone with it: one of its own would be missed when the machine is replaced."""
        private = compute.VirtualMachineNetworkInterfaceIPConfigurationArgs(
            name="private", subnet=compute.SubResourceArgs(id=self._subnet)
        )
        return compute.NetworkProfileArgs(
            network_api_version="2022-11-01",
            network_interface_configurations=[compute.VirtualMachineNetworkInterfaceConfigurationArgs(
                name=name, primary=True, delete_option="Delete", enable_accelerated_networking=True,
                ip_configurations=[private],
            )],
        )  # fmt: skip

    def _login(self, number: int) -> compute.OSProfileArgs:
        key = compute.SshPublicKeyArgs(key_data=self._config["sshKey"], path=f"/home/{USER}/.ssh/authorized_keys")
        return compute.OSProfileArgs(
            computer_name=f"{self._name}-{number}", admin_username=USER,
            linux_configuration=compute.LinuxConfigurationArgs(
                disable_password_authentication=True, ssh=compute.SshConfigurationArgs(public_keys=[key])
            ),
        )  # fmt: skip

    def _disk(self) -> compute.StorageProfileArgs:
        return compute.StorageProfileArgs(
            image_reference=IMAGE,
            os_disk=compute.OSDiskArgs(
                create_option="FromImage", delete_option="Delete", disk_size_gb=self._config["diskGib"],
                managed_disk=compute.ManagedDiskParametersArgs(storage_account_type="Premium_LRS"),
            ),
        )  # fmt: skip

    def _end(self, made: compute.VirtualMachine, number: int) -> None:
        """Azure's own shutdown, at the minute of the moment, today and on every later day.

        Its name is Azure's, so another end changes this very schedule. It is only taken for a machine that is there,
        and goes with the group, so that no `destroy` removes it before its machine.
        """
        devtestlab.GlobalSchedule(
            f"{self._name}-{number}", **self._here,
            name=f"shutdown-computevm-{pulumi.get_stack()}-{number}", task_type="ComputeVmShutdownTask",
            status="Enabled", time_zone_id="UTC", target_resource_id=made.id, tags=self._marks,
            daily_recurrence=devtestlab.DayDetailsArgs(time=self.at.apply(lambda at: f"{at[11:13]}{at[14:16]}")),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, deleted_with=self.group),
        )  # fmt: skip

    def export(self) -> None:
        """What a person uses."""
        pulumi.export("group", self.group.name)
        pulumi.export("machines", [machine.id for machine in self.machines])
        pulumi.export("connect", self.machines[0].id.apply(
            lambda one: f"az network bastion ssh --target-resource-id {one} --auth-type ssh-key --username {USER}"
        ))  # fmt: skip
        pulumi.export("ends_at", self.at)
        price = azure.price(self._config["vmSize"], self._config["location"])
        pulumi.export("on_demand_usd_per_hour", f"{price * self._config['machines']}" if price else "unknown")
