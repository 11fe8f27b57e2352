"""What jobs need once on Google Cloud: the job store, the machines' account that may use it, a private network."""

from typing import Any

import pulumi
import pulumi_gcp as gcp

from provisioner.catalog import labels
from provisioner.catalog.foundation import HEARTBEATS, HEARTBEATS_DAYS, STORE, UNFINISHED_AFTER_DAYS
from provisioner.catalog.foundation_google import (
    CIDR,
    MACHINES,
    NETWORK,
    SAYS,
    USES,
    bucket_name,
    subnet_name,
)
from stacks.components.adoption import Adoption
from stacks.components.gcp_network import PrivateNetwork
from stacks.components.gcp_tpu import caller, project
from stacks.settings import marks


class GcpBase(pulumi.ComponentResource):
    """One project's store and account, and one region's network. `export` gives the stack's outputs."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__("accelctl:gcp:Base", name, None, None)
        self._name, self._config, self._project = name, config, project()
        self._adoption = Adoption(self, adopt=config["adopt"] == "true")
        self._region, self._bucket = config["region"], config["bucket"] or bucket_name(self._project)
        bucket = self._store()
        self.account = self._machines()
        gcp.storage.BucketIAMMember(
            name, bucket=bucket.name, role=USES, member=self.account.member, opts=pulumi.ResourceOptions(parent=self)
        )
        self._networks = set(gcp.compute.get_networks(project=self._project).networks)
        self._subnets = {one.name for one in gcp.compute.get_subnetworks(region=self._region).subnetworks}
        self.network = PrivateNetwork(
            name, region=self._region, cidr=CIDR, settled=self._settled, opts=pulumi.ResourceOptions(parent=self)
        )
        self.register_outputs({})

    def _marks(self) -> dict[str, str]:
        return labels.for_google(marks(self._config, caller, kind=STORE))

    def _store(self) -> gcp.storage.Bucket:
        """Private for good. It stays at a destroy, with what is in it, unless `withData` says otherwise."""
        takes, rule = self._config["withData"] == "true", gcp.storage.BucketLifecycleRuleArgs
        action, condition = gcp.storage.BucketLifecycleRuleActionArgs, gcp.storage.BucketLifecycleRuleConditionArgs
        found = {one.name: one.location for one in gcp.storage.get_buckets(prefix=self._bucket).buckets}
        refuse_elsewhere(self._bucket, found.get(self._bucket, ""), self._region)
        ends = [
            rule(action=action(type="AbortIncompleteMultipartUpload"), condition=condition(age=UNFINISHED_AFTER_DAYS)),
            rule(action=action(type="Delete"), condition=condition(age=HEARTBEATS_DAYS, matches_prefixes=[HEARTBEATS])),
        ]
        return gcp.storage.Bucket(
            self._name, name=self._bucket, location=self._region.upper(), uniform_bucket_level_access=True,
            public_access_prevention="enforced", lifecycle_rules=ends, force_destroy=takes, labels=self._marks(),
            opts=self._adoption.options(
                "bucket", self._bucket if self._bucket in found else None, ignore=("labels", "forceDestroy"),
                retain_on_delete=not takes,
            ),
        )  # fmt: skip

    def _machines(self) -> gcp.serviceaccount.Account:
        found = {one.account_id: one.name for one in gcp.serviceaccount.get_s(prefix=MACHINES).accounts}
        return gcp.serviceaccount.Account(
            self._name, account_id=MACHINES, display_name=SAYS,
            opts=self._adoption.options("service account", found.get(MACHINES), ignore=()),
        )  # fmt: skip

    def _settled(self, kind: str, parent: pulumi.Resource) -> dict[str, Any]:
        """Google lists no single firewall rule: those of a network that is there are taken to be there too."""
        project, there = f"projects/{self._project}", NETWORK in self._networks
        name, path, held = {
            "network": (NETWORK, "global/networks", there),
            "subnetwork": (
                subnet_name(self._region), f"regions/{self._region}/subnetworks",
                subnet_name(self._region) in self._subnets,
            ),
        }.get(kind, (f"{NETWORK}-{kind.rsplit(' ', 1)[-1]}", "global/firewalls", there))  # fmt: skip
        found = f"{project}/{path}/{name}" if held else None
        return {"name": name, "opts": self._adoption.options(kind, found, ignore=(), parent=parent)}

    def export(self) -> None:
        """What a person uses."""
        pulumi.export("store", f"gs://{self._bucket}")
        pulumi.export("account", self.account.email)
        pulumi.export("network", self.network.network)
        pulumi.export("subnet", self.network.subnet)


def refuse_elsewhere(bucket: str, location: str, region: str) -> None:
    """Raises RunError where the bucket that is there is in another region: a bucket does not move."""
    if location and location.lower() != region:
        raise pulumi.RunError(
            f"accelctl:region is '{region}', and the bucket {bucket} is in '{location.lower()}'.\n"
            f"hint: pulumi config set region {location.lower()}, or another bucket."
        )
