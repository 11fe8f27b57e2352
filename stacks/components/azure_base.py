"""What jobs need once on Azure: a resource group, the job store, and a network that is closed from outside."""

from typing import Any

import pulumi
from pulumi_azure_native import authorization, network, resources, storage

from provisioner.catalog.foundation_azure import CIDR, CONTAINER, GROUP, NETWORK, SKU, SUBNET, account_name
from stacks.components.adoption import Adoption, there
from stacks.settings import marks


class AzureBase(pulumi.ComponentResource):
    """One subscription's group and what is in it. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:azure:Base", name, None, None)
        self._name, self._takes = name, config["withData"] == "true"
        self._adoption = Adoption(self, adopt=config["adopt"] == "true")
        caller = authorization.get_client_config()
        self._marks = marks(config, lambda: caller.object_id or "unassigned")
        self.account = config["account"] or account_name(caller.subscription_id)
        self._place(there(lambda: resources.get_resource_group(resource_group_name=GROUP)), config["location"])
        group = resources.ResourceGroup(
            name, resource_group_name=GROUP, location=config["location"], tags=self._marks,
            opts=self._adoption.options("resource group", self._group_id, retain_on_delete=not self._takes),
        )  # fmt: skip
        self._here: dict[str, Any] = {"resource_group_name": group.name, "location": config["location"]}
        self._store()
        self.subnet = self._network()
        self.register_outputs({})

    def _place(self, found: resources.GetResourceGroupResult | None, location: str) -> None:
        """Raises RunError where the group that is there is in another region: a group does not move."""
        self._group_id = found.id if found else None
        if found and found.location != location:
            raise pulumi.RunError(
                f"accelctl:location is '{location}', and the resource group {GROUP} is in '{found.location}'.\n"
                f"hint: pulumi config set location {found.location}"
            )

    def _found(self, ask: Any) -> str | None:
        """Nothing is in a group that is not there."""
        found = there(ask) if self._group_id else None
        return found.id if found else None

    def _store(self) -> None:
        """Private, for Entra's identities alone. It stays at a destroy unless `withData` says otherwise."""
        where: dict[str, Any] = {"resource_group_name": GROUP, "account_name": self.account}
        found = self._found(lambda: storage.get_storage_account(**where))
        account = storage.StorageAccount(
            self._name, **self._here, account_name=self.account, kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=SKU), allow_blob_public_access=False, allow_shared_key_access=False,
            allow_cross_tenant_replication=False, enable_https_traffic_only=True, tags=self._marks,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            opts=self._adoption.options("storage account", found, retain_on_delete=not self._takes),
        )  # fmt: skip
        held = self._found(lambda: storage.get_blob_container(**where, container_name=CONTAINER)) if found else None
        storage.BlobContainer(
            self._name, resource_group_name=self._here["resource_group_name"], account_name=account.name,
            container_name=CONTAINER, public_access=storage.PublicAccess.NONE,
            opts=self._adoption.options("container", held, ignore=(), retain_on_delete=not self._takes),
        )  # fmt: skip

    def _network(self) -> pulumi.Output[str]:
        """One subnet, closed from outside: nothing in it has a public address."""
        wall: dict[str, Any] = {"resource_group_name": GROUP, "network_security_group_name": NETWORK}
        closed = network.NetworkSecurityGroup(
            self._name, **self._here, network_security_group_name=NETWORK, tags=self._marks,
            opts=self._adoption.options(
                "network security group", self._found(lambda: network.get_network_security_group(**wall))
            ),
        )  # fmt: skip
        net: dict[str, Any] = {"resource_group_name": GROUP, "virtual_network_name": NETWORK}
        made = network.VirtualNetwork(
            self._name, **self._here, virtual_network_name=NETWORK,
            address_space=network.AddressSpaceArgs(address_prefixes=[CIDR]),
            subnets=[network.SubnetArgs(
                name=SUBNET, address_prefix=CIDR, network_security_group=network.NetworkSecurityGroupArgs(id=closed.id)
            )],
            tags=self._marks,
            opts=self._adoption.options("virtual network", self._found(lambda: network.get_virtual_network(**net))),
        )  # fmt: skip
        return pulumi.Output.concat(made.id, f"/subnets/{SUBNET}")

    def export(self) -> None:
        """What a person uses."""
        pulumi.export("group", GROUP)
        pulumi.export("store", f"az://{self.account}/{CONTAINER}")
        pulumi.export("subnet", self.subnet)
