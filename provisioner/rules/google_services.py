"""Facts of Google's services that rent machines in their own name. Shapes: the pulumi-gcp package, 10."""

from collections.abc import Callable

from provisioner.rules.aws import Inputs, at, given, moment, truth
from provisioner.rules.facts import UNKNOWN, Capacity, Facts
from provisioner.rules.google import costly, node_pool, ours, span
from provisioner.rules.pools import rows_of, together


def cluster(subject: str, inputs: Inputs) -> Facts:
    """GKE's pools that are written into the cluster; a default pool that is removed at once is none."""
    written = rows_of(at(inputs, "nodePools"))
    default = {name: at(inputs, name) for name in ("nodeConfig", "initialNodeCount")}
    alone = {} if at(inputs, "removeDefaultNodePool") is True else default
    return together(
        [node_pool(subject, one) for one in written or [alone]], ours(at(inputs, "resourceLabels", default={}))
    )


def workbench(subject: str, inputs: Inputs) -> Facts:
    """A person's machine; it stays until it was idle for as long as its metadata say."""
    setup = at(inputs, "gceSetup", default={})
    cards = {"guestAccelerators": at(setup, "acceleratorConfigs")}
    return Facts(
        subject=subject, cloud="gcp", instance_types=costly(at(setup, "machineType"), cards), group=True, least=1,
        most=1, scheduled=given(at(setup, "metadata", "idle-timeout-seconds")),
        labels=ours(at(inputs, "labels", default={})), otherwise="set its metadata idle-timeout-seconds",
        public_address=UNKNOWN if at(setup, "disablePublicIp") is UNKNOWN else not truth(at(setup, "disablePublicIp")),
    )  # fmt: skip


def reservation(subject: str, inputs: Inputs) -> Facts:
    """Paid for from its first second, used or not; Google deletes one that has an end."""
    held = at(inputs, "specificReservation", default={})
    wanted = at(held, "instanceProperties", default={})
    return Facts(
        subject=subject, cloud="gcp", instance_types=costly(at(wanted, "machineType"), wanted), takes_labels=False,
        capacity=Capacity.RESERVATION, group=True, least=0, most=at(held, "count", default=1), reserves=True,
        ends_at=moment(at(inputs, "deleteAtTime")), lasts=span(at(inputs, "deleteAfterDuration")),
        otherwise="set delete_at_time, or delete_after_duration",
    )  # fmt: skip


def managed_group(subject: str, inputs: Inputs) -> Facts:
    """Its machines are as its template says, which cannot be seen from here; with an autoscaler it has no size."""
    size = at(inputs, "targetSize", default=0)
    return Facts(
        subject=subject, cloud="gcp", instance_types=UNKNOWN, from_template=True, group=True, least=size, most=size,
        takes_labels=False,
    )  # fmt: skip


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "gcp:container/cluster:Cluster": cluster,
    "gcp:workbench/instance:Instance": workbench,
    "gcp:compute/reservation:Reservation": reservation,
    "gcp:compute/instanceGroupManager:InstanceGroupManager": managed_group,
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager": managed_group,
}
"""By the type's token."""
